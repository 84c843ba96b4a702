"""`rpm-gateway` as a person meets it: one JSON object on stdout, or one line on stderr and exit status 2."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.__main__ import main
from tests.unit.gateway.frames import MEGABYTE, open_outbox, put
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
        (("decode", "2A35", "00zz"), "at byte 1, 'zz' is not two hex digits"),
        (("decode", "2A35", "167"), "at byte 1, '7' is not two hex digits"),
        (("decode", "2A35", ""), "at byte 0"),
        (("decode", "banana", "00"), "banana"),
        (("decode", "2A00", "00"), "2A00"),
        (("decode", "2A35"), "Missing argument 'HEX'. See: "),
        (("nosuch",), "No such command 'nosuch'. See: "),
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


@pytest.mark.parametrize("frame", ["0x00780050005D00", "00:78:00:50:00:5d:00", "00 78 00 50 00 5D 00"])
@pytest.mark.parametrize("uuid", ["2a35", "0x2A35", "00002a35-0000-1000-8000-00805f9b34fb"])
def test_decode_takes_the_ways_people_write_bytes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], uuid: str, frame: str
) -> None:
    status, out, _ = call(monkeypatch, capsys, "decode", uuid, frame)
    assert status == 0
    assert json.loads(out)["quantities"]["diastolic"] == {"value": 80, "unit": "mm[Hg]"}


def a_folder(path: Path) -> None:
    path.mkdir()


def an_empty_file(path: Path) -> None:
    path.touch()


def a_letter(path: Path) -> None:
    path.write_text("not a database, though long enough to be one" * 9)


def a_file_for_a_folder(path: Path) -> None:
    (path.parent / "kept").touch()


@pytest.mark.parametrize(
    "command, make, told",
    [
        ("outbox", a_folder, "cannot be opened"),
        ("outbox", an_empty_file, "there is no outbox at"),
        ("outbox", a_letter, "not an outbox"),
        ("run", a_folder, "cannot be opened"),
        ("run", a_letter, "not an outbox"),
        ("run", a_file_for_a_folder, "cannot be made"),
    ],
)
def test_an_outbox_that_cannot_be_used_is_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: str,
    make: Callable[[Path], None],
    told: str,
) -> None:
    name = "kept/outbox.sqlite3" if told == "cannot be made" else "outbox.sqlite3"
    make(tmp_path / "outbox.sqlite3")
    config = tmp_path / "home.toml"
    config.write_text(GOOD.replace("kept/outbox.sqlite3", name))
    status, out, err = call(monkeypatch, capsys, command, str(config))
    assert (status, out) == (2, "")
    assert told in err
    assert err.count("\n") == 1


def test_outbox_reads_a_file_whose_name_is_no_plain_uri(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "home #1?100%"
    folder.mkdir()
    config = folder / "home.toml"
    config.write_text(GOOD.replace("kept/", ""))
    open_outbox(folder, bytes_max=64 * MEGABYTE).close()
    status, out, _ = call(monkeypatch, capsys, "outbox", str(config))
    assert (status, json.loads(out)["depth"]) == (0, 0)


def test_outbox_tells_depth_oldest_and_ring_beside_a_running_gateway(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "home.toml"
    config.write_text(GOOD.replace("kept/", ""))
    status, _, err = call(monkeypatch, capsys, "outbox", str(config))
    assert (status, "there is no outbox at" in err) == (2, True)
    running = open_outbox(tmp_path, bytes_max=64 * MEGABYTE)
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
