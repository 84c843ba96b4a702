"""`rpm-gateway` as a person meets it: one JSON object on stdout, or one line on stderr and exit status 2."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.__main__ import main
from tests.unit.gateway.frames import MEGABYTE, NOON, open_outbox, put
from tests.unit.gateway.test_settings import GOOD


def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["rpm-gateway", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    out, err = capsys.readouterr()
    code = ended.value.code
    assert code is None or isinstance(code, int)
    return code or 0, out, err


def test_decode_prints_one_json_object(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = call(monkeypatch, capsys, "decode", "2A35", "00 78 00 50 00 5d 00")
    assert (status, err) == (0, "")
    assert json.loads(out)["quantities"]["systolic"] == {"value": 120.0, "unit": "mm[Hg]"}
    assert out.count("\n") == 1


@pytest.mark.parametrize(
    "arguments, told",
    [
        (("decode", "2A35", "0078"), "byte"),
        (("decode", "2A35", "zz"), "not hexadecimal bytes: 'zz'"),
        (("decode", "banana", "00"), "banana"),
        (("decode", "2A00", "00"), "2A00"),
        (("run", "/nowhere/home.toml"), "cannot read /nowhere/home.toml"),
        (("outbox", "/nowhere/home.toml"), "cannot read /nowhere/home.toml"),
    ],
)
def test_what_a_person_can_mend_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], told: str
) -> None:
    status, out, err = call(monkeypatch, capsys, *arguments)
    assert (status, out) == (2, "")
    assert told in err
    assert err.startswith("rpm-gateway: ")
    assert err.count("\n") == 1


def test_outbox_tells_depth_oldest_and_ring_beside_a_running_gateway(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "home.toml"
    config.write_text(GOOD.replace("kept/", ""))
    status, _, err = call(monkeypatch, capsys, "outbox", str(config))
    assert (status, "there is no outbox at" in err) == (2, True)
    running = open_outbox(tmp_path, bytes_max=64 * MEGABYTE, now=NOON)
    put(running, 1, 2)
    status, out, _ = call(monkeypatch, capsys, "outbox", str(config))
    told = json.loads(out)
    assert status == 0
    assert (told["depth"], told["ring"], told["gaps"], told["epoch"]) == (2, 0, 0, running.epoch)
    assert told["oldest_age_s"] > 0
    running.close()


def test_a_second_gateway_on_one_outbox_is_told_so(tmp_path: Path) -> None:
    config = tmp_path / "home.toml"
    config.write_text(GOOD.replace("kept/", ""))
    running = open_outbox(tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "gateway", "run", config], capture_output=True, text=True, timeout=60, check=False
    )
    running.close()
    assert done.returncode == 2
    assert done.stderr.startswith("rpm-gateway: another rpm-gateway uses the outbox")
    assert done.stderr.count("\n") == 1
