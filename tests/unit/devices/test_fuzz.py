"""A coverage-guided fuzzer over every decoder, for a few seconds; `fuzz_target.py` goes on for as long as one likes.

It starts from the published vectors, malformed ones too, so that it is past the flags at once. In a process of its own:
libFuzzer ends the one it runs in.
"""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from devices import decode
from tests.support.tree import ROOT
from tests.unit.devices.test_vectors import FILES

RUNS = 2_000_000
#: Fewer say that the fuzzer did not get going.
RUNS_MIN = 10_000
#: A slow machine does fewer runs rather than be late.
RUN_S_MAX = 20
FRAME_BYTES_MAX = 64


def fuzz(corpus: Path, wanted: str, *options: str) -> "subprocess.CompletedProcess[str]":
    command = [
        sys.executable,
        "-m",
        "tests.unit.devices.fuzz_target",
        wanted,
        *options,
        f"-artifact_prefix={corpus}/",
        f"{corpus}",
    ]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)


def test_any_bytes_are_described_or_malformed_whatever_a_fuzzer_thinks_of(tmp_path: Path) -> None:
    for file in FILES.values():
        if "characteristic" in file:
            choice = bytes([decode.CHARACTERISTICS.index(file["characteristic"])])
            for number, vector in enumerate(file["vectors"]):
                path = tmp_path / f"{file['characteristic']}-{number}"
                path.write_bytes(choice + bytes.fromhex(vector["hex"]))

    ended = fuzz(
        tmp_path,
        "all",
        f"-runs={RUNS}",
        f"-max_total_time={RUN_S_MAX}",
        f"-max_len={FRAME_BYTES_MAX}",
        "-seed=7",
    )

    assert ended.returncode == 0, ended.stdout + ended.stderr
    done = re.search(r"Done (\d+) runs", ended.stderr)
    assert done is not None
    assert int(done[1]) > RUNS_MIN, "hardly anything was tried"


@pytest.mark.parametrize("wanted", ["2B36", "no UUID"])
def test_the_target_of_one_decoder_can_be_run_and_can_fail(tmp_path: Path, wanted: str) -> None:
    ended = fuzz(tmp_path, wanted, "-runs=50")
    assert (ended.returncode == 0) is (wanted == "2B36")
    assert bool(list(tmp_path.glob("crash-*"))) is (wanted != "2B36")
