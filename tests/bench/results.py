"""One figure per line: as JSON for machines, as a table for people."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from rich.table import Table

#: Columns that are numbers.
NUMBERS: Final = {"median", "min", "max", "sent", "lost", "twice", "others"}


@dataclass(slots=True)
class Result:
    """One thing measured, once per repetition. `values` are in `unit`; `cpus` says per repetition who used the CPUs.

    `counts`: what was checked beside it; `lost` and `duplicates` among them condemn the run. `detail`: what else is
    worth keeping. `beside`: how it compares, "× of what" → ratio of medians.
    """

    name: str
    unit: str
    values: list[float] = field(default_factory=list[float])
    cpus: list[dict[str, float]] = field(default_factory=list[dict[str, float]])
    counts: dict[str, int] = field(default_factory=dict[str, int])
    detail: dict[str, Any] = field(default_factory=dict[str, Any])
    beside: dict[str, float] = field(default_factory=dict[str, float])

    @property
    def median(self) -> float:
        """The middle one."""
        return statistics.median(self.values)

    @property
    def wrong(self) -> int:
        """Readings lost or kept twice."""
        return self.counts.get("lost", 0) + self.counts.get("duplicates", 0)

    def add(self, value: float, cpus: Mapping[str, float], counts: Mapping[str, int] | None = None) -> None:
        """One more repetition; counts are summed."""
        self.values.append(value)
        self.cpus.append(dict(cpus))
        for name, count in (counts or {}).items():
            self.counts[name] = self.counts.get(name, 0) + count

    def compare(self, other: "Result", *, name: str = "") -> None:
        """Note this median as a multiple of that of `other`."""
        self.beside[name or other.name] = float(f"{self.median / other.median:.3g}")

    def as_json(self) -> dict[str, Any]:
        """What bench.json holds of it."""
        return {
            "name": self.name,
            "unit": self.unit,
            "min": min(self.values),
            "median": self.median,
            "max": max(self.values),
            "values": self.values,
            "cpus": self.cpus,
            "counts": self.counts,
            "beside": self.beside,
            **self.detail,
        }


def table(results: Sequence[Result]) -> Table:
    """All of it, for a person."""
    made = Table(title="Measured", caption="others: processors that programs not of this benchmark used meanwhile")
    for heading in ("what", "median", "min", "max", "", "sent", "lost", "twice", "others", "beside it"):
        made.add_column(heading, justify="right" if heading in NUMBERS else "left", no_wrap=True)
    for result in results:
        others = [used["others"] for used in result.cpus]
        made.add_row(
            result.name,
            *(_shown(value) for value in (result.median, min(result.values), max(result.values))),
            result.unit,
            *(f"{result.counts[name]:,}" if name in result.counts else "" for name in ("sent", "lost", "duplicates")),
            f"{statistics.mean(others):.1f}",
            ", ".join([*(f"{_ratio(ratio)} {name}" for name, ratio in result.beside.items()), *_cost(result)]),
        )
    return made


def _shown(value: float) -> str:
    if value >= 1e6:
        return f"{value / 1e6:,.1f} M"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _ratio(ratio: float) -> str:
    return f"{ratio:.3g} ×" if ratio >= 1 else f"{ratio:.1%} of"


def _cost(result: Result) -> list[str]:
    """What one reading costs the workers."""
    used: list[int] = result.detail.get("worker_cpu_us", [])
    return [f"{statistics.median(used):.0f} µs CPU"] if used else []
