"""The four questions of `checks`, each in four ways: what is measured there, as short as each way allows."""

import bisect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
import polars as pl

from alerts.joins import portions
from alerts.judge import breaches
from alerts.kernels import gains, rolling, slopes, windows
from alerts.series import Bools, Floats, Ints

US_PER_H: Final = 3_600_000_000
DAY: Final = 24 * US_PER_H
WEEK, FORTNIGHT = 7 * DAY, 14 * DAY
FROM_US, TO_US = 18 * US_PER_H, 36 * US_PER_H
SPAN_DAYS: Final = 30
_EPOCH_DAY: Final = 20_600

Way = Callable[[], np.ndarray]
Question = tuple[str, dict[str, Way], np.ndarray]


@dataclass(frozen=True, slots=True)
class Columns:
    """Series one after the other, each in the order of time; `begins` and `lengths` are of series, the rest of values."""

    series: Ints
    at_us: Ints
    value: Floats
    position: windows.Counts
    unit: np.ndarray
    begins: Ints
    lengths: Ints
    limit: Floats

    @classmethod
    def of(cls, count: int, *, seed: int) -> Self:
        """So many series of 30 to 50 values at any time of 30 days."""
        draw = np.random.default_rng(seed)
        lengths = draw.integers(30, 51, count)
        series = np.repeat(np.arange(count), lengths)
        at_us = draw.integers(0, SPAN_DAYS * DAY, len(series)) + _EPOCH_DAY * DAY
        at_us = at_us[np.lexsort((at_us, series))]
        value = np.round(draw.normal(130.0, 15.0, len(series)))
        begins = np.cumsum(lengths) - lengths
        limit = np.round(draw.normal(160.0, 5.0, count))
        unit = np.ones(len(series), np.int16)
        return cls(series, at_us, value, windows.positions(series), unit, begins, lengths, limit)


def questions(made: Columns, loop_of: int) -> Iterator[Question]:
    """Each question, its ways, and which rows of the answer the loop answers."""
    few = np.arange(0, len(made.begins), loop_of)
    rows = np.flatnonzero(made.series % loop_of == 0)
    lines: list[tuple[list[int], list[float], float]] = [
        (made.at_us[begin : begin + length].tolist(), made.value[begin : begin + length].tolist(), float(limit))
        for begin, length, limit in zip(made.begins[few], made.lengths[few], made.limit[few], strict=True)
    ]
    frame = pl.DataFrame(
        {
            "series": made.series,
            "at": pl.Series(made.at_us).cast(pl.Datetime("us")),
            "value": made.value,
            "limit": np.repeat(made.limit, made.lengths),
        }
    )
    yield (
        "above own limit",
        {
            "kernel": lambda: _by_portion(made, _above),
            "numpy": lambda: made.value > np.repeat(made.limit, made.lengths),
            "polars": lambda: frame.select(pl.col("value") > pl.col("limit")).to_series().to_numpy(),
            "loop": lambda: np.array([value > limit for _, values, limit in lines for value in values]),
        },
        rows,
    )
    yield (
        "7-day mean",
        {
            "kernel": lambda: _by_portion(made, _mean),
            "numpy": lambda: _mean_numpy(made),
            "polars": lambda: (
                frame.rolling("at", period="7d", group_by="series").agg(pl.col("value").mean())["value"].to_numpy()
            ),
            "loop": lambda: np.concatenate([_mean_loop(at, values) for at, values, _ in lines]),
        },
        rows,
    )
    yield (
        "14-day slope",
        {
            "kernel": lambda: _by_portion(made, _slope),
            "numpy": lambda: _slope_numpy(made),
            "polars": lambda: _slope_polars(frame),
            "loop": lambda: np.array([_slope_loop(at, values) for at, values, _ in lines]),
        },
        few,
    )
    yield (
        "24-hour change",
        {
            "kernel": lambda: _by_portion(made, _change),
            "numpy": lambda: _change_numpy(made),
            "polars": lambda: _change_polars(frame),
            "loop": lambda: np.concatenate([_change_loop(at, values) for at, values, _ in lines]),
        },
        rows,
    )


def _by_portion(made: Columns, kernel: Callable[[Columns, slice], np.ndarray]) -> np.ndarray:
    return np.concatenate([kernel(made, portion) for portion in portions(made.series)])


def _above(made: Columns, some: slice) -> Bools:
    which = slice(int(made.series[some.start]), int(made.series[some.stop - 1]) + 1)
    return breaches(made.value[some], np.repeat(made.limit[which], made.lengths[which]), downward=False)


def _mean(made: Columns, some: slice) -> Floats:
    window = rolling.windows(windows.before(made.at_us[some], made.position[some], span_us=WEEK))
    return rolling.means(made.value[some], window)


def _slope(made: Columns, some: slice) -> Floats:
    at_us, position = made.at_us[some], made.position[some]
    newest = np.flatnonzero(np.append(position[1:] == 0, True))
    earlier = windows.before_rows(at_us, position, newest, span_us=FORTNIGHT)
    found = slopes.least_squares((at_us - at_us[0]) / DAY, made.value[some], newest - earlier, earlier + 1)
    return found.per_day


def _change(made: Columns, some: slice) -> Floats:
    value, unit = made.value[some], made.unit[some]
    since = gains.earlier_value(made.at_us[some], made.position[some], take="newest", from_us=FROM_US, to_us=TO_US)
    return np.where(since >= 0, gains.change(value, unit, value[since], unit), np.nan)


def _key(made: Columns) -> Ints:
    """Series and time as one ascending number; the gap between two series is wider than any window."""
    return made.series * (2 * SPAN_DAYS * DAY) + (made.at_us - _EPOCH_DAY * DAY)


def _mean_numpy(made: Columns) -> Floats:
    key = _key(made)
    first = np.searchsorted(key, key - WEEK, side="right")
    running = np.concatenate(([0.0], np.cumsum(made.value)))
    return (running[1:] - running[first]) / (np.arange(1, len(key) + 1) - first)


def _slope_numpy(made: Columns) -> Floats:
    newest = made.at_us[made.begins + made.lengths - 1]
    keep = made.at_us > np.repeat(newest - FORTNIGHT, made.lengths)
    owner, value = made.series[keep], made.value[keep] - 130.0
    days = (made.at_us[keep] - _EPOCH_DAY * DAY) / DAY
    begins = np.flatnonzero(np.concatenate(([True], owner[1:] != owner[:-1])))
    count = np.diff(np.append(begins, len(owner)))
    t, v, tt, tv = (np.add.reduceat(one, begins) for one in (days, value, days * days, days * value))
    with np.errstate(invalid="ignore"):
        return np.where(count > 2, (tv - t * v / count) / (tt - t * t / count), np.nan)


def _slope_polars(frame: pl.DataFrame) -> Floats:
    t, v, n = pl.col("t"), pl.col("v"), pl.col("n")
    found = (
        frame.lazy()
        .with_columns(pl.col("at").max().over("series").alias("newest"))
        .filter(pl.col("at") > pl.col("newest") - pl.duration(days=14))
        .select(
            "series",
            ((pl.col("at") - pl.col("newest")).dt.total_microseconds() / DAY).alias("t"),
            (pl.col("value") - 130.0).alias("v"),
        )
        .with_columns((t * t).alias("tt"), (t * v).alias("tv"))
        .group_by("series", maintain_order=True)
        .agg(pl.len().alias("n"), pl.col("t", "v", "tt", "tv").sum())
        .select(pl.when(n > 2).then((pl.col("tv") - t * v / n) / (pl.col("tt") - t * t / n)))
    )
    return found.collect().to_series().fill_null(np.nan).to_numpy()


def _change_numpy(made: Columns) -> Floats:
    key = _key(made)
    since = np.searchsorted(key, key - FROM_US, side="right") - 1
    found = key[since] >= key - TO_US
    found &= since >= 0
    return np.where(found, np.round(made.value - made.value[since], 1), np.nan)


def _change_polars(frame: pl.DataFrame) -> Floats:
    asked = frame.select("series", "value", (pl.col("at") - pl.duration(hours=18)).alias("at")).set_sorted("at")
    known = frame.select("series", "at", pl.col("value").alias("before")).set_sorted("at")
    found = asked.join_asof(known, on="at", by="series", strategy="backward", tolerance="18h", check_sortedness=False)
    return found.select(pl.col("value") - pl.col("before")).to_series().fill_null(np.nan).to_numpy()


def _mean_loop(at: list[int], values: list[float]) -> list[float]:
    means: list[float] = []
    first, total = 0, 0.0
    for place, value in enumerate(values):
        total += value
        while at[first] <= at[place] - WEEK:
            total -= values[first]
            first += 1
        means.append(total / (place - first + 1))
    return means


def _slope_loop(at: list[int], values: list[float]) -> float:
    first = bisect.bisect_right(at, at[-1] - FORTNIGHT)
    days = [(one - at[-1]) / DAY for one in at[first:]]
    if len(days) < 3:
        return float("nan")
    t, v = sum(days) / len(days), sum(values[first:]) / len(days)
    over = sum((day - t) * (value - v) for day, value in zip(days, values[first:], strict=True))
    return over / sum((day - t) ** 2 for day in days)


def _change_loop(at: list[int], values: list[float]) -> list[Any]:
    changes: list[float] = []
    newest = -1
    for place, value in enumerate(values):
        while at[newest + 1] <= at[place] - FROM_US:
            newest += 1
        near = newest >= 0 and at[newest] >= at[place] - TO_US
        changes.append(value - values[newest] if near else float("nan"))
    return changes
