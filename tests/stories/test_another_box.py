"""A box dies with a reading the cloud has not; another takes its place, and the cuff at home notices nothing (F16).

Method: everything real, as processes: a cuff that talks only to whom it has a bond with, a meter that counts its records, two
gateways one after the other, a broker, a worker, a database. The first is killed with -9; its home goes to the second by the two
commands a person types. Both boxes have the same Bluetooth address, as where the adapter is put into the new box: a cuff knows
its bond by that address, and with another one it has to be paired anew (gateway/README.md, *Another box in a dead one's place*).
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from schemas.codes import BY_NAME
from tests.support.broker import Broker
from tests.support.world import Home, VirtualDevice, World

CUFF = VirtualDevice("cuff", "cuff", "C0:00:00:00:0A:01", "Maria Alvarez", settings="bonded = true")
METER = VirtualDevice("meter", "meter", "C0:00:00:00:0A:03", "Maria Alvarez")
HOME = Home("a", (CUFF, METER))
#: What F16 promises from the import on. It takes seconds; how many is printed, and measured by nobody here.
SWAP_S_MAX = 300.0


@pytest.fixture
def world(tmp_path: Path, broker: Broker, dsn: str) -> Iterator[World]:
    with World(tmp_path, homes=[HOME], broker=broker, dsn=dsn) as started:
        started.start_worker()
        started.start_gateway(HOME)
        yield started


def typed(*arguments: str | Path) -> str:
    """What a person types on a box; what it says."""
    done = subprocess.run(
        [sys.executable, "-m", "gateway", *arguments],
        env=os.environ | {"RPM_EXPORT_PASSPHRASE": "correct horse battery"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def stored(world: World) -> list[float]:
    """Systolic pressures and sugars in the cloud, each as often as it is there."""
    codes = [BY_NAME[name].number for name in ("systolic", "glucose")]
    rows = world.rows("select value from observation where code = any(%(codes)s) order by value", codes=codes)
    return [float(value) for (value,) in rows]


def waiting(config: Path) -> int:
    """How many readings a box holds that the cloud has not confirmed."""
    depth: int = json.loads(typed("outbox", config))["depth"]
    return depth


def long_term_keys(outbox: Path) -> list[str]:
    """The virtual radio's bonds: one key for each device it was paired with."""
    bonds = json.loads(outbox.with_name(outbox.name + ".bonds.json").read_text("utf-8"))
    return [bond["ltk"]["value"] for devices in bonds.values() for bond in devices.values()]


def sessions(world: World, name: str) -> list[dict[str, Any]]:
    lines = world.children[name].log.read_text("utf-8").splitlines()
    logged = [json.loads(line) for line in lines if line.startswith("{")]
    return [line for line in logged if line["event"] == "session_ended"]


def test_the_cuff_goes_on_with_the_box_in_the_dead_ones_place(world: World, tmp_path: Path) -> None:
    first, second = tmp_path / f"{HOME.gateway_id}.toml", tmp_path / "second" / "gateway.toml"
    world.ask("a", "cuff", "measure", systolic=121, diastolic=80)
    for mg_dl in (101, 102, 103):
        world.ask("a", "meter", "prick", mg_dl=mg_dl)
    world.until("the first readings are in the cloud", lambda: stored(world) == [101, 102, 103, 121])
    # A worker killed between its commit and its receipts would leave these waiting on the box as well.
    world.until("the box has their receipts", lambda: waiting(first) == 0)

    world.kill("worker")
    world.ask("a", "cuff", "measure", systolic=122, diastolic=80)
    world.until("a reading waits on the box", lambda: waiting(first) == 1)
    world.kill(HOME.gateway_id)
    # The people at home do not know: the cuff and the meter keep what nobody fetches.
    world.ask("a", "cuff", "measure", systolic=123, diastolic=80)
    for mg_dl in (104, 105):
        world.ask("a", "meter", "prick", mg_dl=mg_dl)
    # The broker kept for a worker what the dead box had sent: the second sends the same reading under a number of its own.
    world.start_worker()

    assert "1 readings not confirmed" in typed("export", first, "--to", tmp_path / "home.rpm")
    begun = time.monotonic()
    typed("import", tmp_path / "home.rpm", second)
    world.start_gateway(HOME, second)
    world.until("the cuff is read by the second box", lambda: 123 in stored(world), timeout_s=SWAP_S_MAX)
    print(f"from import to the first reading in the cloud: {time.monotonic() - begun:.1f} s")  # noqa: T201 - its figure

    world.until("everything is there", lambda: len(stored(world)) >= 8)
    world.wait_delivered()
    world.until("nothing waits", lambda: waiting(second) == 0)
    assert stored(world) == [101, 102, 103, 104, 105, 121, 122, 123], "nothing lost, nothing doubled"
    [before], [after] = (long_term_keys(config.with_name(f"{HOME.gateway_id}.sqlite3")) for config in (first, second))
    assert after == before, "paired anew"
    read = sessions(world, f"{HOME.gateway_id}-second")
    fetched = {line["device"]: line["new"] + line["repeated"] for line in read if line["new"] or line["repeated"]}
    assert fetched == {1: 1, 2: 3}, "of the meter: two new ones, and the last known, by which it is known again"
