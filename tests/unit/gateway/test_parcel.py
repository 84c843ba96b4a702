"""A dead box's home in the box in its place: devices, bonds, how far each was read, and what the cloud has not confirmed.

Method: the two commands as a person types them, between two folders that stand for two boxes.
"""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.__main__ import main
from gateway.outbox import Outbox
from gateway.sealed import HEAD, seal, unseal
from schemas.messages import Receipt
from tests.unit.gateway.frames import CUFF, FACTS, GATEWAY, MEGABYTE, NOON, frame, put

PASSPHRASE = "correct horse battery"
SETTINGS = f"""
gateway_id = "{GATEWAY}"
time_zone = "America/New_York"
outbox = "outbox.sqlite3"
[broker]
url = "mqtt://127.0.0.1:18830"
password = "a-secret-of-the-broker"
[[device]]
address = "{CUFF}"
kind = "blood_pressure"
label = "cuff"
"""
BOND = {"gw": {CUFF: {"ltk": {"value": "00112233445566778899aabbccddeeff"}}}}


def opened(folder: Path) -> Outbox:
    return Outbox.open(folder / "outbox.sqlite3", bytes_max=MEGABYTE, gateway_id=GATEWAY)


class Boxes:
    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.old, self.new, self.file = folder / "old", folder / "new", folder / "home.rpm"
        self._monkeypatch, self._capsys = monkeypatch, capsys
        self.old.mkdir()
        (self.old / "gateway.toml").write_text(SETTINGS, "utf-8")
        (self.old / "outbox.sqlite3.bonds.json").write_text(json.dumps(BOND), "utf-8")
        outbox = opened(self.old)
        put(outbox, 1, 2, 3)
        outbox.mark_sent([(1, NOON), (2, NOON)], now=NOON)
        outbox.settle(Receipt(gateway_id=GATEWAY, epoch=outbox.epoch, stored=(1,)), now=NOON)
        outbox.finish_session(outbox.begin_session(address=CUFF, facts=FACTS, now=NOON), [], now=NOON, last_sequence=17)
        # Killed in the middle of a session: frames that are no rows yet.
        outbox.keep(outbox.begin_session(address=CUFF, facts=FACTS, now=NOON), frame(9))
        self.epoch = outbox.epoch
        outbox.close()

    def typed(self, *arguments: str) -> tuple[int, str]:
        self._monkeypatch.setattr(sys, "argv", ["rpm-gateway", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = self._capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return ended.value.code, out + err

    def export(self, passphrase: str = PASSPHRASE) -> tuple[int, str]:
        return self.typed("export", str(self.old / "gateway.toml"), "--to", str(self.file), "--passphrase", passphrase)

    def take(self, passphrase: str = PASSPHRASE) -> tuple[int, str]:
        return self.typed("import", str(self.file), str(self.new / "gateway.toml"), "--passphrase", passphrase)


@pytest.fixture
def boxes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Boxes:
    return Boxes(tmp_path, monkeypatch, capsys)


def test_a_home_moves_into_another_box(boxes: Boxes) -> None:
    assert boxes.export()[0] == 0
    status, told = boxes.take()
    assert (status, "2 readings go to the cloud" in told) == (0, True)
    old, new = opened(boxes.old), opened(boxes.new)
    later = datetime(2100, 1, 1, tzinfo=UTC)
    waiting = [row.body for row in old.due(now=later, limit=9)]
    assert len(waiting) == 2, "the one with a receipt is the cloud's"
    assert [row.body for row in new.due(now=NOON, limit=9)] == waiting, "due at once"
    assert [row.attempts for row in new.due(now=NOON, limit=9)] == [0, 0]
    assert new.epoch != boxes.epoch, "its numbers are its own (L18)"
    assert new.last_sequence(CUFF) == 17
    (session,) = new.unfinished()
    assert session.frames == old.unfinished()[0].frames
    assert json.loads((boxes.new / "outbox.sqlite3.bonds.json").read_text()) == BOND
    assert (boxes.new / "gateway.toml").read_text() == SETTINGS
    for each in (old, new):
        each.close()


def test_nothing_can_be_read_without_the_passphrase(boxes: Boxes) -> None:
    boxes.export()
    sealed = boxes.file.read_bytes()
    assert boxes.file.stat().st_mode & 0o077 == 0
    for secret in (b"a-secret-of-the-broker", CUFF.encode(), b"ltk", b"reading_id", GATEWAY.encode()):
        assert secret not in sealed
    assert boxes.take("another passphrase") == (
        2,
        "rpm-gateway: the passphrase is another, or the file was damaged on the way\n",
    )
    assert not (boxes.new / "gateway.toml").exists()
    assert boxes.take()[0] == 0


@pytest.mark.parametrize("at", [len(HEAD), len(HEAD) + 20, len(HEAD) + 40, -1])
def test_a_changed_file_is_refused(at: int) -> None:
    sealed = bytearray(seal(b"content", PASSPHRASE))
    assert unseal(bytes(sealed), PASSPHRASE) == b"content"
    sealed[at] ^= 1
    with pytest.raises(Exception, match="passphrase is another"):
        unseal(bytes(sealed), PASSPHRASE)


def test_what_is_there_is_never_overwritten(boxes: Boxes) -> None:
    assert boxes.export()[0] == 0
    assert "exists: name another file" in boxes.export()[1]
    assert boxes.take()[0] == 0
    assert "this box has a home already" in boxes.take()[1]
    (boxes.new / "gateway.toml").unlink()
    status, told = boxes.take()
    assert (status, "has readings of its own" in told) == (2, True)
    assert not (boxes.new / "gateway.toml").exists(), "as before"


def test_files_and_passphrases_that_cannot_be(boxes: Boxes) -> None:
    assert "too short" in boxes.export("short")[1]
    assert not boxes.file.exists()
    boxes.file.write_bytes(b"something else")
    assert "no export of a gateway" in boxes.take()[1]
    boxes.file.write_bytes(HEAD[:-2] + b"2\nabc")
    assert "newer rpm-gateway" in boxes.take()[1]
    boxes.file.unlink()
    assert "cannot read" in boxes.take()[1]


def test_bonds_of_bluez_go_into_the_one_adapter(boxes: Boxes, tmp_path: Path) -> None:
    theirs, ours = tmp_path / "bluez-old", tmp_path / "bluez-new"
    for folder in (theirs / "AA:AA:AA:AA:AA:AA" / CUFF, theirs / "AA:AA:AA:AA:AA:AA" / "C0:00:00:00:00:99"):
        folder.mkdir(parents=True)
        (folder / "info").write_text(f"[LongTermKey]\nKey={folder.name}\n", "utf-8")
    (ours / "BB:BB:BB:BB:BB:BB").mkdir(parents=True)
    config = str(boxes.old / "gateway.toml")
    named = ("--passphrase", PASSPHRASE, "--bluetooth")
    assert boxes.typed("export", config, "--to", str(boxes.file), *named, str(theirs))[0] == 0
    assert boxes.typed("import", str(boxes.file), str(boxes.new / "gateway.toml"), *named, str(ours))[0] == 0
    bonds = [path.parent.name for path in ours.glob("*/*/info")]
    assert bonds == [CUFF], "this home's devices and no other"


def test_an_enrolled_home_is_moved_without_its_key_and_enrolled_after(boxes: Boxes) -> None:
    """The old box's key dies with it; the new one is nobody until it is enrolled, and says so."""
    text = SETTINGS.replace(f'gateway_id = "{GATEWAY}"\ntime_zone = "America/New_York"\n', "")
    head, _, rest = text.partition("[broker]")
    (boxes.old / "gateway.toml").write_text(head + '[identity]\nfolder = "who"\n[[' + rest.partition("[[")[2], "utf-8")
    pair = boxes.old / "who" / "1"
    pair.mkdir(parents=True)
    (pair.parent / "state.json").write_text('{"newest": 1, "proven": 1}', "utf-8")
    place = {
        "gateway_id": GATEWAY,
        "broker_url": "mqtts://c.example",
        "time_zone": "America/New_York",
        "cloud": "https://c",
    }
    (pair / "place.json").write_text(json.dumps(place | {"not_after": "2026-09-01T00:00:00Z"}), "utf-8")
    assert boxes.export()[0] == 0
    assert boxes.take()[0] == 0
    assert not (boxes.new / "who").exists()
    assert "has no certificate yet" in boxes.typed("outbox", str(boxes.new / "gateway.toml"))[1]
