"""A disk with no room at all (L16): SQLite cannot even delete there, so the cap must keep the outbox away from that edge.

A tmpfs of 2 MB, mounted in a namespace of this test's own (so no privilege is needed), stands for a small partition. The
first child fills an outbox capped at 1 MB and drains it by receipts; the second fills the rest of the disk with
somebody else's bytes, sees the outbox refuse (rather than lose) a frame, and deliver all it has once there is room again.
"""

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]

PRELUDE = """
    import pathlib, sys
    from datetime import timedelta
    from gateway.errors import OutboxFailed
    from schemas.messages import Event, Receipt
    from tests.unit.gateway.frames import (
        CUFF, FACTS, GATEWAY, KEY, MEGABYTE, NOON, Encryption, frame, open_outbox, put
    )
    folder = pathlib.Path(sys.argv[1])
    Encryption.key = KEY if sys.argv[2] == "encrypted" else None
    outbox = open_outbox(folder, bytes_max=MEGABYTE)

    def drain():
        while found := outbox.due(now=NOON, limit=200):
            outbox.mark_sent([(row.seq, NOON + timedelta(hours=1)) for row in found], now=NOON)
            receipt = Receipt(gateway_id=GATEWAY, epoch=outbox.epoch, stored=tuple(row.seq for row in found))
            assert outbox.settle(receipt, now=NOON) == len(found)
"""

FILLS_ITSELF = """
    outbox.add_event(Event(gateway_id=GATEWAY, at=NOON, name="signal", value=1.0))
    for number in range(2000):
        put(outbox, number, body_bytes=1000)
    stats = outbox.stats(now=NOON)
    assert stats.dropped and stats.depth + stats.dropped == 2000
    # Every drop is in a gap record and was told; the newest outlived the oldest; telemetry went before them.
    assert sum(gap.readings for gap in outbox.gaps()) == stats.dropped
    assert outbox.due(now=NOON, limit=1)[0].seq == 2000
    told = [event.body for event in outbox.events(limit=9)]
    assert told and all("outbox_dropped" in body for body in told)
    drain()
    assert outbox.stats(now=NOON).depth == 0
    print("drained")
"""

FILLED_BY_OTHERS = """
    put(outbox, *range(50), body_bytes=1000)
    outbox._store.connection.execute("pragma wal_checkpoint(restart)").fetchall()
    hog = folder / "hog"
    with hog.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError:
            pass
    # The log begins anew: a session's row would still fit, and the frames of whoever is listened to would not for long.
    try:
        outbox.begin_session(address=CUFF, facts=FACTS, now=NOON)
    except OutboxFailed:
        listened = False
    else:
        listened = True
    assert not listened
    hog.write_bytes(hog.read_bytes()[:-73_728])
    session, refused = None, 0
    try:
        for number in range(100, 20_000):
            session = session or outbox.begin_session(address=CUFF, facts=FACTS, now=NOON)
            outbox.keep(session, frame(number))
            kept = number
    except OutboxFailed:
        refused = number
    assert refused, "the disk was full"
    hog.unlink()
    outbox.keep(session or outbox.begin_session(address=CUFF, facts=FACTS, now=NOON), frame(refused))
    drain()
    assert outbox.stats(now=NOON).depth == 0
    print("refused, then drained")
"""


def _on_a_small_disk(script: str, folder: Path, form: str) -> str:
    program = folder / "child.py"
    program.write_text(textwrap.dedent(PRELUDE) + textwrap.dedent(script))
    disk = folder / "disk"
    disk.mkdir()
    shell = 'mount -t tmpfs -o size=2m none "$1" && exec "$2" "$3" "$1" "$4"'
    done = subprocess.run(
        ["unshare", "-Urnm", "sh", "-c", shell, "sh", disk, sys.executable, program, form],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin:/usr/sbin:/sbin"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("form", ["plain", "encrypted"])
def test_a_full_outbox_on_a_small_disk_drains_to_nothing(tmp_path: Path, form: str) -> None:
    assert _on_a_small_disk(FILLS_ITSELF, tmp_path, form) == "drained"


@pytest.mark.parametrize("form", ["plain", "encrypted"])
def test_a_disk_filled_by_others_refuses_loudly_and_delivers_once_there_is_room(tmp_path: Path, form: str) -> None:
    assert _on_a_small_disk(FILLED_BY_OTHERS, tmp_path, form) == "refused, then drained"
