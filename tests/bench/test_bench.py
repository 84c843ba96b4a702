"""The benchmark works: its small run ends well, writes what it promises, and what it measured lost nothing.

No figure is judged here; a machine under other people's tests has none worth judging.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.bench.results import Result
from tests.support.provisioning import LOCAL, ROOT

#: On a machine that is busy with other tests.
QUICK_S_MAX = 600
INGEST = [f"ingest, {size} per message, {workers}" for workers in ("1 worker", "2 workers") for size in (1, 100)]


@pytest.mark.timeout(QUICK_S_MAX + 60)
def test_the_small_run_measures_everything_and_loses_nothing(tmp_path: Path) -> None:
    output = tmp_path / "bench.json"
    arguments = [sys.executable, "-m", "tests.bench", "--quick", "--output", output]
    with subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as bench:
        shown, said = bench.communicate(timeout=QUICK_S_MAX)
    assert bench.returncode == 0, said
    found: dict[str, Any] = json.loads(output.read_text("utf-8"))
    assert {"machine", "versions", "parameters", "measured_at", "took_s", "results"} <= found.keys()
    assert {"cpu", "cpus", "memory_gib", "commit_ms"} <= found["machine"].keys()
    assert all(found["versions"].values())
    results = {result["name"]: result for result in found["results"]}
    alerts = [name for name in results if name.startswith("publish → ")]
    assert len(alerts) == 10
    for name in [*INGEST, *alerts]:
        assert (results[name]["counts"]["lost"], results[name]["counts"]["duplicates"]) == (0, 0), name
        assert results[name]["counts"]["sent"] > 0
    for name in INGEST:
        assert set(results[name]["beside"]) == {"paho", "COPY", "mq-bridge"}
    assert set(results["evaluate()"]["beside"]) == {"copyto", "reference"}
    assert {f"evaluate(), {kind}" for kind in ("value", "mean_over", "gain_since", "rising")} <= results.keys()
    for question in ("above own limit", "7-day mean", "14-day slope", "24-hour change"):
        assert set(results[f"{question}: kernel"]["beside"]) == {"numpy", "polars", "loop"}
    box = [result for name, result in results.items() if name.startswith("gateway, ")]
    assert [result["unit"] for result in box] == ["MiB", "MiB"]
    assert (box[0]["counts"]["sent"], box[0]["counts"]["lost"]) == (9, 0)
    assert box[1]["bytes_per_reading"] > 0
    drained = results["outbox: drain a backlog of 600"]
    assert (drained["counts"]["sent"], drained["counts"]["lost"]) == (600, 0)
    assert set(drained["beside"]) == {"paho"}
    assert set(results["outbox: keep a frame"]["beside"]) == {"SQLite", "append"}
    assert results["outbox: written per reading, frame to receipt"]["median"] > 4096, "a page at least"
    for air in ("one process", "two processes"):
        for percentile in ("p50", "p99"):
            met = results[f"connect → outbox, {air}, {percentile}"]
            assert (met["counts"]["sent"], met["counts"]["lost"]) == (5, 0)
            assert set(met["beside"]) == {"bare bleak"}
            assert 0 < results[f"of it in the outbox, {air}, {percentile}"]["median"] < met["median"]
    for which in ("", ", 100 open"):
        called = results[f"alert → provider{which}, p99"]
        assert (called["counts"]["sent"], called["counts"]["lost"]) == (10, 0)
    assert results["due steps taken, of 100"]["counts"]["lost"] == 0
    sound, faulty = results["wire: sendings per reading, no faults"], results["wire: sendings per reading, 2 faults"]
    assert (sound["counts"]["lost"], faulty["counts"]["lost"]) == (0, 0)
    assert (sound["median"], sound["connections"]) == (1.0, 1)
    assert sum(faulty["faults"].values()) == 2
    assert faulty["connections"] > faulty["faults"]["reset"] > 0, "the line broke, and the gateway came back"
    for result in results.values():
        assert 0 < result["min"] <= result["median"] <= result["max"]
        assert all({"others", "stolen"} <= used.keys() for used in result["cpus"])
        assert result["name"] in shown
    assert not (LOCAL / "clusters" / f"test-{bench.pid}-bench").exists(), "its server is gone"


def test_a_run_that_loses_is_condemned() -> None:
    result = Result("ingest", "readings/s")
    result.add(10.0, {"others": 0.0}, {"sent": 5, "lost": 1, "duplicates": 0})
    assert result.wrong == 1
