"""An encrypted outbox: nothing of it can be read without the key, a plain one becomes one, and whatever fails touches nothing.

Method: a canary in every table, searched for in every file there is; a child that kills itself before each step of the
conversion; keys as people get them wrong. The outbox's other tests run on both forms (`both_forms`).
"""

import hashlib
import multiprocessing
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from devices.procedures import Frame
from gateway.errors import OutboxRefused, UserError
from gateway.outbox import Outbox, conversion, engine
from gateway.outbox.records import Form, NewRow
from gateway.outbox_key import read_key
from gateway.settings import OutboxKey
from schemas.messages import Event
from tests.unit.gateway.frames import CUFF, GATEWAY, KEY, MEGABYTE, NOON

CANARY = "canary-of-maria-alvarez"
OTHER_KEY = bytes(32)
#: Steps of a conversion, counted by what a crash can fall between.
STEPS_MAX = 400


def opened(folder: Path, key: bytes | None) -> Outbox:
    return Outbox.open(folder / "outbox.sqlite3", bytes_max=8 * MEGABYTE, gateway_id=GATEWAY, key=key)


def fill(outbox: Outbox) -> None:
    """The canary in frames, facts, rows and events."""
    for number in range(40):
        session = outbox.begin_session(address=CUFF, facts=CANARY, now=NOON)
        outbox.keep(session, Frame("2A35", CANARY.encode(), NOON))
        body = '{"filler":"' + CANARY * 30 + '"}'
        if number % 2:
            outbox.finish_session(session, [NewRow(Form.READING, f"{CANARY} {number}", "", NOON, body)], now=NOON)
    outbox.add_event(Event(gateway_id=GATEWAY, at=NOON, name=CANARY))
    # Sorted, so that whatever spills would spill.
    assert len(outbox.due(now=NOON, limit=99)) == 20


def found_in(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir() if CANARY.encode() in file.read_bytes())


def state(folder: Path) -> dict[str, str]:
    """What is kept: not the index of the log (-shm), which whoever looks makes anew, nor an empty log."""
    return {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest()
        for file in folder.iterdir()
        if file.is_file() and file.stat().st_size and not file.name.endswith("-shm")
    }


def whole(outbox: Outbox) -> tuple[int, int, int]:
    stats = outbox.stats(now=NOON)
    return stats.depth, stats.frames, stats.events


def test_nothing_can_be_read_without_the_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spill = tmp_path / "spill"
    spill.mkdir()
    monkeypatch.setenv("SQLITE_TMPDIR", str(spill))
    outbox = opened(tmp_path, KEY)
    fill(outbox)
    assert {"outbox.sqlite3", "outbox.sqlite3-wal", "outbox.sqlite3-shm"} <= {file.name for file in tmp_path.iterdir()}
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert [file.name for file in files if CANARY.encode() in file.read_bytes()] == []
    assert [file.name for file in files if KEY in file.read_bytes() or KEY.hex().encode() in file.read_bytes()] == []
    outbox.close()
    assert whole(opened(tmp_path, KEY)) == (20, 20, 1)


def test_the_search_would_find_it_in_a_plain_one(tmp_path: Path) -> None:
    outbox = opened(tmp_path, None)
    fill(outbox)
    assert found_in(tmp_path)
    outbox.close()


def test_a_plain_outbox_is_encrypted_at_the_first_start_with_a_key(tmp_path: Path) -> None:
    outbox = opened(tmp_path, None)
    fill(outbox)
    epoch = outbox.epoch
    outbox.close()
    encrypted = opened(tmp_path, KEY)
    assert (encrypted.epoch, whole(encrypted)) == (epoch, (20, 20, 1))
    assert found_in(tmp_path) == []
    session = encrypted.begin_session(address=CUFF, facts="{}", now=NOON)
    encrypted.finish_session(session, [NewRow(Form.READING, "next", "", NOON, "{}")], now=NOON)
    assert encrypted.due(now=NOON, limit=1)[0].seq == 21, "no number is used twice"
    encrypted.close()
    assert stat.S_IMODE((tmp_path / "outbox.sqlite3").stat().st_mode) == 0o600
    assert not list(tmp_path.glob("*encrypting*"))


def test_a_plain_outbox_left_by_a_killed_process_is_encrypted_with_its_log(tmp_path: Path) -> None:
    outbox = opened(tmp_path, None)
    fill(outbox)
    left = tmp_path / "left"
    left.mkdir()
    for file in tmp_path.glob("outbox.sqlite3*"):
        if not file.name.endswith("-shm"):
            (left / file.name).write_bytes(file.read_bytes())
    outbox.close()
    assert "outbox.sqlite3-wal" in found_in(left)
    assert whole(opened(left, KEY)) == (20, 20, 1)
    assert found_in(left) == []


def _convert_and_die_before(folder: Path, step: int, told: Any) -> None:
    """The child: every statement of the conversion and every call that changes a file is a step."""
    count = 0

    def one_more(*_: object) -> None:
        nonlocal count
        count += 1
        if count == step:
            os.kill(os.getpid(), signal.SIGKILL)

    def counted(name: str) -> None:
        real = getattr(os, name)

        def call(*arguments: Any, **settings: Any) -> Any:
            one_more()
            return real(*arguments, **settings)

        setattr(os, name, call)

    for name in ("fsync", "replace", "unlink", "pwrite", "open"):
        counted(name)
    real = engine.require_cipher()

    class Traced:
        @staticmethod
        def connect(*arguments: Any, **settings: Any) -> Any:
            connection = real.connect(*arguments, **settings)
            connection.set_trace_callback(one_more)
            return connection

    engine.require_cipher = lambda: Traced  # this process dies with it
    conversion.encrypt(folder / "outbox.sqlite3", key=KEY)
    told.send(count)
    os._exit(0)


def test_kill_9_before_any_step_of_the_conversion_leaves_one_whole_outbox(tmp_path: Path) -> None:
    fork = multiprocessing.get_context("fork")
    killed = 0
    for step in range(1, STEPS_MAX):
        folder = tmp_path / str(step)
        plain = opened(folder, None)
        fill(plain)
        epoch = plain.epoch
        plain.close()
        hear, told = fork.Pipe(duplex=False)
        child = fork.Process(target=_convert_and_die_before, args=(folder, step, told))
        child.start()
        child.join(timeout=30)
        after = opened(folder, KEY)
        assert (after.epoch, whole(after)) == (epoch, (20, 20, 1)), step
        after.close()
        assert found_in(folder) == [], step
        assert not list(folder.glob("*encrypting*")), step
        if child.exitcode == 0:
            break
        assert child.exitcode == -signal.SIGKILL
        killed += 1
        hear.close()
    else:
        pytest.fail("the conversion never ended")
    assert killed > 15


def test_a_wrong_key_is_one_line_and_touches_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    outbox = opened(tmp_path, KEY)
    fill(outbox)
    # As a killed process leaves it: with its log.
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in tmp_path.glob("outbox.sqlite3*"):
        if not file.name.endswith("-shm"):
            (copy / file.name).write_bytes(file.read_bytes())
    outbox.close()
    before = state(copy)
    for key, words in ((OTHER_KEY, "cannot be read with this outbox_key"), (None, "wants its outbox_key")):
        with pytest.raises(OutboxRefused, match=words) as refused:
            opened(copy, key)
        assert "\n" not in str(refused.value)
        assert state(copy) == before
    assert capfd.readouterr() == ("", ""), "SQLCipher writes no lines of its own"
    assert whole(opened(copy, KEY)) == (20, 20, 1)


def test_a_damaged_encrypted_outbox_is_moved_aside(tmp_path: Path) -> None:
    outbox = opened(tmp_path, KEY)
    fill(outbox)
    outbox.close()
    with (tmp_path / "outbox.sqlite3").open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 8192)
    again = opened(tmp_path, KEY)
    assert whole(again) == (0, 0, 0)
    assert len(list(tmp_path.glob("*.damaged-*[0-9]"))) == 1


def test_a_key_without_sqlcipher_is_one_line_and_touches_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outbox = opened(tmp_path, None)
    fill(outbox)
    outbox.close()
    before = state(tmp_path)
    monkeypatch.setattr(engine, "_cipher", None)
    with pytest.raises(OutboxRefused, match=r"pip install 'rpm-pipeline\[encrypted\]'"):
        opened(tmp_path, KEY)
    assert state(tmp_path) == before


def test_without_the_package_a_plain_outbox_works_as_ever(tmp_path: Path) -> None:
    """In a Python that has no sqlcipher3 at all."""
    script = (
        "import sys; sys.modules['sqlcipher3'] = None\n"
        "from pathlib import Path; from gateway.outbox import Outbox\n"
        f"Outbox.open(Path({str(tmp_path / 'outbox.sqlite3')!r}), bytes_max=1 << 20, gateway_id='gw-home-a').close()\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=30)


def test_a_key_comes_from_a_file_nobody_else_may_read(tmp_path: Path) -> None:
    file = tmp_path / "outbox.key"
    file.write_text(KEY.hex() + "\n")
    file.chmod(0o600)
    assert read_key(OutboxKey(file=file)) == KEY
    assert read_key(OutboxKey(command=("cat", str(file)))) == KEY
    assert read_key(None) is None
    file.chmod(0o640)
    with pytest.raises(UserError, match="chmod 600"):
        read_key(OutboxKey(file=file))


@pytest.mark.parametrize(
    "key, words",
    [
        (OutboxKey(file=Path("/nowhere/outbox.key")), "cannot read /nowhere/outbox.key: No such file"),
        (OutboxKey(command=("/nowhere/unseal",)), "cannot run /nowhere/unseal: No such file"),
        (OutboxKey(command=("false",)), "false ended with status 1"),
        (OutboxKey(command=("echo", "hunter2")), "the command echo gave no key: 64 hexadecimal digits"),
        (OutboxKey(command=("echo", "x" * 64)), "the command echo gave no key: 64 hexadecimal digits"),
    ],
)
def test_a_key_that_cannot_be_had_is_one_line_without_it(key: OutboxKey, words: str) -> None:
    with pytest.raises(UserError, match=words) as error:
        read_key(key)
    assert "\n" not in str(error.value)
    assert "hunter2" not in str(error.value)


def test_a_command_that_never_answers_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.outbox_key.COMMAND_S_MAX", 0.2)
    with pytest.raises(UserError, match="sleep did not answer"):
        read_key(OutboxKey(command=("sleep", "30")))
