"""Where the figures come from: the machine, the versions, and who used the processors meanwhile."""

import os
import platform
import re
import statistics
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, Self

import psycopg

from tests.support.provisioning import ROOT, run_script

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_LIBRARIES: Final = ("paho-mqtt", "psycopg", "pydantic", "numpy")
#: One-row commits that tell how fast the disk says "kept".
COMMITS: Final = 100


def facts(dsn: str) -> dict[str, Any]:
    """The machine; and what a commit of one row costs on it, in milliseconds."""
    cpu = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text("utf-8"), re.MULTILINE)
    return {
        "cpu": cpu[1].strip() if cpu else platform.machine(),
        "cpus": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": platform.freedesktop_os_release().get("PRETTY_NAME", "Linux"),
        "kernel": platform.release(),
        "commit_ms": round(_commit_s(dsn) * 1000, 2),
    }


def versions(dsn: str) -> dict[str, str]:
    """What was measured."""
    with psycopg.connect(dsn) as connection:
        found = connection.execute("select current_setting('server_version'), extversion from pg_extension"
                                   " where extname = 'timescaledb'").fetchone()  # fmt: skip
    assert found is not None
    broker = subprocess.run(
        [run_script("provision.sh", "mosquitto"), "-h"], capture_output=True, text=True, check=False
    )
    named = re.search(r"mosquitto version (\S+)", broker.stdout + broker.stderr)
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return {
        "commit": commit.stdout.strip(),
        "python": platform.python_version(),
        "postgresql": str(found[0]).split()[0],
        "timescaledb": str(found[1]),
        "mosquitto": named[1] if named else "",
        **{name: version(name) for name in _LIBRARIES},
    }


def resident_mib(pid: int) -> float:
    """What a process and its children have in memory now. What they share counts for each."""
    status = Path(f"/proc/{pid}/status").read_text("utf-8")
    kib = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:"))
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text("utf-8").split()
    return round(kib / 1024 + sum(resident_mib(int(child)) for child in children), 2)


def _commit_s(dsn: str) -> float:
    """The median time of a commit of one row."""
    taken: list[float] = []
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("create table if not exists bench_commit (id integer)")
        for number in range(COMMITS):
            began = time.perf_counter()
            connection.execute("insert into bench_commit values (%s)", [number])
            taken.append(time.perf_counter() - began)
    return statistics.median(taken)


@dataclass(frozen=True, slots=True)
class _Usage:
    """CPU seconds so far: of the machine, of what a hypervisor took away, and of each of our programs with its children."""

    at: float
    busy_s: float
    stolen_s: float
    ours_s: dict[str, float]


class Meter:
    """Who used the processors while a block ran: `cpus` is in processors (1.0 is one, all the time).

    `others` are programs that are none of ours: on a machine that is shared they explain a slow figure.
    """

    def __init__(self, programs: Mapping[str, int]) -> None:
        self._programs = {**programs, "bench": os.getpid()}
        self.cpus: dict[str, float] = {}
        self._before: _Usage | None = None

    def __enter__(self) -> Self:
        self._before = _usage(self._programs)
        return self

    def __exit__(self, *_: object) -> None:
        before, after = self._before, _usage(self._programs)
        assert before is not None
        taken_s = max(after.at - before.at, 1 / _TICKS)
        ours = {name: (after.ours_s[name] - before.ours_s[name]) / taken_s for name in self._programs}
        busy = (after.busy_s - before.busy_s) / taken_s
        self.cpus = {
            **{name: round(used, 2) for name, used in ours.items()},
            "others": round(max(0.0, busy - sum(ours.values())), 2),
            "stolen": round((after.stolen_s - before.stolen_s) / taken_s, 2),
        }


def _usage(programs: Mapping[str, int]) -> _Usage:
    user, nice, system, _idle, _wait, irq, softirq, stolen = (
        int(field) for field in Path("/proc/stat").read_text("utf-8").split("\n", 1)[0].split()[1:9]
    )
    parents: dict[int, int] = {}
    used: dict[int, int] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            # The name, in brackets, may hold anything.
            fields = (folder / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
        except OSError:
            continue
        pid = int(folder.name)
        parents[pid] = int(fields[1])
        # Its own, and that of children it has waited for.
        used[pid] = sum(int(field) for field in fields[11:15])
    names = {pid: name for name, pid in programs.items()}
    ours = dict.fromkeys(programs, 0.0)
    for pid, ticks in used.items():
        owner = pid
        while owner and owner not in names:
            owner = parents.get(owner, 0)
        if owner:
            ours[names[owner]] += ticks / _TICKS
    busy = (user + nice + system + irq + softirq) / _TICKS
    return _Usage(time.monotonic(), busy, stolen / _TICKS, ours)
