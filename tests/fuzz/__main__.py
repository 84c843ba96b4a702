"""`python -m tests.fuzz [SECONDS]`: half of them hypothesis (nearly right messages), half of them atheris (any bytes).

Ends with status 1 and the message where one is found that is not answered as it must be.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.fuzz.check import check
from tests.fuzz.payloads import MESSAGES, RAW
from tests.support.readings import batch, glucose, pressure, weight
from tests.support.tree import ROOT

SECONDS: Final = 60.0
#: More than this of memory, or this long for one message, is a finding.
MEMORY_MB_MAX: Final = 512
MESSAGE_S_MAX: Final = 10
#: Messages that hypothesis makes between two looks at the clock.
ROUND: Final = 200


def nearly_right(seconds: float) -> int:
    """Messages by hypothesis, of another seed each round, until the time is up; how many."""
    ends = time.monotonic() + seconds
    done = 0
    while time.monotonic() < ends:

        @seed(done)
        @settings(
            max_examples=ROUND, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
            phases=[Phase.generate, Phase.shrink],
        )  # fmt: skip
        @given(MESSAGES)
        def one(message: tuple[str, bytes]) -> None:
            check(*message)

        one()
        done += ROUND
    return done


def any_bytes(seconds: float, corpus: Path) -> "subprocess.CompletedProcess[str]":
    """Atheris in a process of its own (it ends the one it runs in), from ordinary messages on."""
    from tests.fuzz.check import GATEWAY, NOW

    ordinary = batch(GATEWAY, pressure(128, 79, NOW), weight(81, NOW), glucose(101, NOW))[1]
    for number, payload in enumerate((ordinary, *RAW)):
        (corpus / f"start-{number}").write_bytes(b"\0" + payload)
    options = [
        f"-max_total_time={seconds:.0f}", f"-rss_limit_mb={MEMORY_MB_MAX}", f"-timeout={MESSAGE_S_MAX}", "-max_len=200000",
        f"-artifact_prefix={corpus}/", str(corpus),
    ]  # fmt: skip
    # By way of a shell that forks: Linux hands the most memory a program ever had down to what it executes, and the fuzzer
    # would take a large test run's for its own.
    command = ["sh", "-c", '"$@"; exit $?', "sh", sys.executable, "-m", "tests.fuzz.target", *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=seconds + 60, check=False)


def main() -> int:
    """Both halves."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else SECONDS
    print(f"{nearly_right(seconds / 2)} messages that are nearly right: each answered")
    with tempfile.TemporaryDirectory() as folder:
        ended = any_bytes(seconds / 2, Path(folder))
        print(ended.stderr.splitlines()[-1] if ended.returncode == 0 else ended.stdout + ended.stderr)
    return 1 if ended.returncode else 0


if __name__ == "__main__":
    raise SystemExit(main())
