"""`python -m devices.vectors`: whether a decoder, ours or yours, keeps what the published vectors promise."""

import json
import shlex
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

import typer

from devices.vectors.checking import BadVectors, Json, Reader, judge, our_answer, questions

app = typer.Typer(add_completion=False, rich_markup_mode=None)

HELP = """Ask a decoder every vector of these files (none: all that are published), and say which it does not keep.

\b
Without --command it is this project's own. Yours is any program that reads questions from its standard input, one JSON
object a line, and answers each with one line:
\b
  {"characteristic": "2A35", "hex": "00780050005d00"}    or    {"number": "sfloat", "hex": "7800"}
  {"kind": "blood_pressure", "quantities": {"systolic": {"value": 120, "unit": "mm[Hg]"}, ...}, ...}
  {"error": "too short", "byte": 5}        of malformed bytes; "byte" may be left out
\b
Exit status 0: all kept. 1: some are not; each is a line. 2: a file or the command cannot be used.
"""


@app.command(help=HELP)
def check(
    paths: Annotated[list[Path] | None, typer.Argument(metavar="[FILE]...")] = None,
    *,
    command: Annotated[str | None, typer.Option(metavar="PROGRAM", help="Whose answers to check.")] = None,
) -> None:
    """See HELP."""
    asked = [(path.stem, pair) for path in paths or _published() for pair in _questions(path)]
    if command is None:
        broken = _broken(asked, our_answer)
    else:
        with _Program(command) as reader:
            broken = _broken(asked, reader)
    for line in broken:
        print(line)
    print(f"{len(asked) - len(broken)} of {len(asked)} vectors kept")
    raise typer.Exit(1 if broken else 0)


def _published() -> list[Path]:
    folder = Path(str(files("devices").joinpath("vectors")))
    return sorted(folder.glob("*.json"))


def _questions(path: Path) -> list[tuple[Json, Json]]:
    try:
        return questions(path.read_text("utf-8"))
    except OSError as error:
        raise BadVectors(f"cannot read {path}: {error.strerror}") from error
    except BadVectors as error:
        raise BadVectors(f"{path}: {error}") from error


def _broken(asked: list[tuple[str, tuple[Json, Json]]], reader: Reader) -> list[str]:
    lines: list[str] = []
    for name, (question, vector) in asked:
        found = judge(question, vector, reader(question))
        if found is not None:
            lines.append(f"{name} {question['hex'] or '(nothing)'}: {found.why}")
    return lines


class _Program:
    """Somebody's decoder as a process of its own."""

    def __init__(self, command: str) -> None:
        try:
            self._process = subprocess.Popen(  # noqa: S603 - the command of whoever runs this
                shlex.split(command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
        except (OSError, ValueError, IndexError) as error:
            raise BadVectors(f"cannot run {command!r}") from error

    def __enter__(self) -> Reader:
        return self._ask

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def _ask(self, question: Json) -> Json:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            print(json.dumps(question), file=self._process.stdin, flush=True)
            answer: Any = json.loads(self._process.stdout.readline())
        except (OSError, ValueError) as error:
            raise BadVectors(f"the program answered no JSON to {json.dumps(question)}") from error
        if not isinstance(answer, dict):
            raise BadVectors(f"the program answered no JSON object to {json.dumps(question)}")
        return answer  # pyright: ignore[reportUnknownVariableType] - JSON


def main() -> None:
    """Run it; what a person can correct is one line on stderr and exit status 2."""
    try:
        app()
    except BadVectors as error:
        print(f"devices.vectors: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
