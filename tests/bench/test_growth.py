"""The measurement of growth works on a database small enough for every day; no figure is judged."""

import os
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.bench import grown, growth, soak
from tests.bench.ground import utc_now
from tests.bench.machine import resident_mib

DAYS = 21


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(grown, "DAYS", DAYS)
    monkeypatch.setattr(grown, "PER_PATIENT", DAYS * 17 // 4)
    name = f"test-{os.getpid()}-growth"
    yield name
    grown.end(keep=False, cluster=name)


def test_what_is_grown_is_whole_and_every_figure_is_of_rows(cluster: str, tmp_path: Path) -> None:
    said: list[str] = []
    for rows in (900, 2700):
        dsn = grown.grow(rows, said.append, cluster=cluster)
    with psycopg.connect(dsn) as connection:
        row = connection.execute(
            "select (select count(*) from observation), (select count(*) from reading), (select count(*) from delivery),"
            " (select count(*) from reading_key), (select count(*) from latest), (select count(distinct patient_id) from reading)"
        ).fetchone()
    assert row is not None
    observations, readings, deliveries, keys, latest, patients = row
    assert abs(observations - 2700) < 200
    assert readings == deliveries == keys
    assert (patients, latest) == (30, 150), "four values of a pressure and a weight each"
    found = growth.measure_one(dsn, tmp_path, said.append, now=utc_now(), loads=((10, 200),))
    assert (found["ingest, 10 per message"]["lost"], found["ingest, 10 per message"]["doubled"]) == (0, 0)
    timed = [name for name, figure in found.items() if isinstance(figure, dict) and "p50_ms" in figure]
    assert len(timed) == len(growth.ASKED) + 3
    assert all(0 < found[name]["p50_ms"] <= found[name]["p99_ms"] for name in timed)
    assert growth.table([found]).row_count == len(found)


def test_a_line_through_memory_tells_growth_from_noise() -> None:
    starting = [(float(second), 50.0 + second) for second in range(0, 100, 5)]
    flat = [(float(second), 150.0 + second % 2) for second in range(100, 400, 5)]
    rising = [(float(second), 150.0 + second / 36) for second in range(100, 400, 5)]
    assert abs(soak.summary(starting + flat)["mib_per_hour"]) < 5
    assert 95 < soak.summary(starting + rising)["mib_per_hour"] < 105
    assert resident_mib(os.getpid()) > 10
