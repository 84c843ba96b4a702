"""`python -m tests.bench`: measure, print a table, write build/bench.json.

Figures are recorded, not judged. What is judged is that they are of a pipeline that works: a run in which a reading was
lost or kept twice ends with status 1 and one line that says so.
"""

import argparse
import json
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from tests.bench import box, grown, growth, soak, sweep
from tests.bench.ground import BenchFailed, utc_now
from tests.bench.plan import QUICK, USUAL, Plan, of_the_box
from tests.bench.program import measure, steps
from tests.bench.results import table
from tests.support.provisioning import ROOT, NotProvided
from tests.support.surroundings import forget_settings

#: Of the table, where nobody's terminal says.
WIDTH: Final = 200


def bench(plan: Plan, output: Path, console: Console, *, ingest_alone: bool = False) -> int:
    """Measure, write, show; the exit status."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=steps(plan, ingest_alone=ingest_alone))

        def step(what: str) -> None:
            progress.update(task, description=what, advance=1)
            if not console.is_terminal:
                sys.stderr.write(f"{datetime.now(UTC):%H:%M:%S} {what}\n")

        facts, results = measure(plan, output.parent / "bench", step, ingest_alone=ingest_alone)
    output.parent.mkdir(parents=True, exist_ok=True)
    document = {**facts, "results": [result.as_json() for result in results]}
    output.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", "utf-8")
    console.print(table(results))
    machine = facts["machine"]
    console.print(f"{machine['cpus']} × {machine['cpu']}, {machine['memory_gib']} GiB, {machine['system']}; "
                  f"a commit of one row takes {machine['commit_ms']} ms. Took {facts['took_s']} s; all of it: {output}")  # fmt: skip
    wrong = [result for result in results if result.wrong]
    for result in wrong:
        sys.stderr.write(
            f"{result.name}: {result.counts['lost']} lost, {result.counts['duplicates']} kept twice "
            f"of {result.counts['sent']}: a figure of a pipeline that loses is none\n"
        )
    return 1 if wrong else 0


def box_alone(minutes: float, output: Path, console: Console) -> int:
    """Measure the box in the home for so long, write, show; the exit status."""
    idle_s, rounds, rest_s = of_the_box(minutes)
    results = box.measure(
        output.parent / "bench" / "box",
        idle_s=idle_s,
        rounds=rounds,
        rest_s=rest_s,
        step=lambda what: print(f"{datetime.now(UTC):%H:%M:%S} {what}", file=sys.stderr),
    )
    document = {
        "measured_at": utc_now().isoformat(timespec="seconds"),
        "minutes": minutes,
        "results": [result.as_json() for result in results],
    }
    output.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", "utf-8")
    console.print(table(results))
    return 1 if any(result.wrong for result in results) else 0


def growth_alone(rows: int, output: Path, console: Console) -> int:
    """Measure databases of more and more rows, up to so many; write, show; the exit status."""
    sizes = (*(size for size in growth.SIZES if size < rows), rows)
    found = growth.measure(sizes, output.parent / "bench" / "growth", _say)
    document = {"measured_at": utc_now().isoformat(timespec="seconds"), "results": found}
    output.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", "utf-8")
    console.print(growth.table(found))
    return 0


def soak_alone(minutes: float, output: Path, console: Console) -> int:
    """Watch a worker's memory for so long; write, show; the exit status."""
    found = soak.measure(minutes, output.parent / "bench" / "soak", _say)
    document = {"measured_at": utc_now().isoformat(timespec="seconds"), "minutes": minutes, **found}
    output.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", "utf-8")
    shown = {name: value for name, value in found.items() if name not in {"series", "load"}}
    console.print(f"a worker under {soak.RATE} readings/s for {minutes:g} minutes: {shown}; all of it: {output}")
    return 0


def sweep_alone(patients: int, output: Path, console: Console) -> int:
    """Judge everybody of so many patients; write, show; the exit status."""
    found = sweep.measure(patients, output.parent / "bench" / "sweep", _say)
    results = [result.as_json() for result in found]
    document = {"measured_at": utc_now().isoformat(timespec="seconds"), "patients": patients, "results": results}
    output.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", "utf-8")
    console.print(table(found))
    return 0


def _say(what: str) -> None:
    sys.stderr.write(f"{datetime.now(UTC):%H:%M:%S} {what}\n")


def main() -> int:
    """Read the arguments; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=(__doc__ or "").split("\n\n", 1)[0])
    parser.add_argument("--quick", action="store_true", help="small and once: shows that the benchmark works, no more")
    parser.add_argument("--ingest", action="store_true", help="only ingest, and what it is held against (3 minutes)")
    parser.add_argument("--box", type=float, metavar="MINUTES", help="only the box in the home, for about so long")
    parser.add_argument(
        "--growth", type=int, metavar="ROWS", help="only ingest and the pages' statements, on up to ROWS observations"
    )
    parser.add_argument(
        "--keep", action="store_true", help="keep the grown database: the next --growth goes on with it"
    )
    parser.add_argument("--soak", type=float, metavar="MINUTES", help="only a worker's memory under load, for so long")
    parser.add_argument("--sweep", type=int, metavar="PATIENTS", help="only how long everybody's month takes to judge")
    parser.add_argument("--output", type=Path, default=ROOT / "build" / "bench.json", metavar="FILE")
    arguments = parser.parse_args()
    forget_settings()
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    # Whoever ends us ends our servers with us.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        if arguments.box is not None:
            return box_alone(arguments.box, arguments.output, console)
        if arguments.soak is not None:
            return soak_alone(arguments.soak, arguments.output, console)
        if arguments.sweep is not None:
            return sweep_alone(arguments.sweep, arguments.output, console)
        if arguments.growth is not None:
            try:
                return growth_alone(arguments.growth, arguments.output, console)
            finally:
                grown.end(keep=arguments.keep)
        return bench(QUICK if arguments.quick else USUAL, arguments.output, console, ingest_alone=arguments.ingest)
    except (BenchFailed, NotProvided, RuntimeError) as error:
        sys.stderr.write(f"bench: {error}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("bench: stopped; nothing was written\n")
        return 130


if __name__ == "__main__":
    sys.exit(main())
