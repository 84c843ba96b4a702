"""The runner that other projects hold their decoders against: ours keeps every vector, and a wrong one is shown to be wrong."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.tree import ROOT

#: Reads exponents as biased by 8, the commonest mistake there is; everything else as we do.
WRONG = """
import json, sys
from devices.vectors.checking import our_answer
for line in sys.stdin:
    question = json.loads(line)
    answer = our_answer(question)
    if question.get("number") == "sfloat" and answer.get("value") is not None:
        answer["value"] *= 1e-8
    print(json.dumps(answer), flush=True)
"""


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "devices.vectors", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def test_our_decoders_keep_every_vector() -> None:
    ended = run()
    assert (ended.returncode, ended.stderr) == (0, "")
    kept, of = ended.stdout.split()[0:3:2]
    assert kept == of
    assert int(of) >= 300


def test_a_decoder_of_another_program_is_asked_and_its_mistakes_are_lines(tmp_path: Path) -> None:
    decoder = tmp_path / "decoder.py"
    decoder.write_text(WRONG)
    good = run("devices/vectors/blood_pressure.json", "--command", f"{sys.executable} {decoder}")
    assert good.returncode == 0, good.stdout
    wrong = run("devices/vectors/sfloat.json", "--command", f"{sys.executable} {decoder}")
    assert wrong.returncode == 1
    assert 'sfloat 66ed: want {"value": -6.66}, found' in wrong.stdout


def test_a_decoder_that_reads_malformed_bytes_or_names_another_byte_is_wrong(tmp_path: Path) -> None:
    file = tmp_path / "own.json"
    file.write_text('{"format": 1, "characteristic": "2A35", "vectors": [{"hex": "0078", "error_at_byte": 1}]}')
    decoder = tmp_path / "decoder.py"
    decoder.write_text("import sys\nfor _ in sys.stdin: print(sys.argv[1], flush=True)\n")

    def answered(answer: str) -> tuple[int, str]:
        ended = run(str(file), "--command", f"{sys.executable} {decoder} '{answer}'")
        return ended.returncode, ended.stdout

    assert answered("{}") == (1, "own 0078: read although it is malformed\n0 of 1 vectors kept\n")
    assert answered('{"error": "short", "byte": 2}')[0] == 1
    assert answered('{"error": "short", "byte": 1}')[0] == 0
    assert answered('{"error": "short"}')[0] == 0, "not every decoder knows the byte"


@pytest.mark.parametrize(
    "arguments",
    [
        ("/nowhere/vectors.json",),
        ("README.md",),
        ("devices/vectors/captures/and_ua_651ble.json",),
        ("devices/vectors/sfloat.json", "--command", "/nowhere/decoder"),
        ("devices/vectors/sfloat.json", "--command", "true"),
    ],
)
def test_what_cannot_be_used_is_one_line_and_exit_status_2(arguments: tuple[str, ...]) -> None:
    ended = run(*arguments)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.count("\n") == 1
