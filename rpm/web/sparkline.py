"""A trend small enough to stand in a row: an SVG path drawn on the server."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

WIDTH: Final = 96
HEIGHT: Final = 28
#: Room for the dot of the newest value.
MARGIN: Final = 3


@dataclass(frozen=True, slots=True)
class Sparkline:
    """A line in a WIDTH × HEIGHT box; (x, y) is the newest value."""

    path: str
    x: float
    y: float


def sparkline(points: Sequence[tuple[datetime, float]]) -> Sparkline | None:
    """The line through points in order of time; None for fewer than two, which show no trend."""
    if len(points) < 2:
        return None
    first, last = points[0][0], points[-1][0]
    span_s = (last - first).total_seconds() or 1.0
    low = min(value for _, value in points)
    high = max(value for _, value in points)
    # A flat line belongs in the middle; without this it would be divided by nothing.
    height = (high - low) or 1.0
    middle = 0.5 if high == low else 0.0
    steps = [
        (
            round(MARGIN + (instant - first).total_seconds() / span_s * (WIDTH - 2 * MARGIN), 1),
            round(HEIGHT - MARGIN - ((value - low) / height + middle) * (HEIGHT - 2 * MARGIN), 1),
        )
        for instant, value in points
    ]
    path = "M" + "L".join(f"{x:g} {y:g}" for x, y in steps)
    return Sparkline(path, *steps[-1])
