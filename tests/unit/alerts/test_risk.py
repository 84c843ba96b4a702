"""The order of the worklist: more of anything bad never lowers a place, reds stand on top, and equal alerts stand as they did.

Method: columns drawn by chance, not-known and absurd numbers among them; then one alert is made worse in one respect, and its
place is compared. The sums are checked against the parts that are shown.
"""

from dataclasses import replace
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from alerts.risk import COUNT_MAX, MOST, PARTS, Standings, order, parts, points

#: What makes an alert worse, column by column: by how much.
WORSE = ("severity", "free", "waited", "out", "readings", "others", "spreads", "silent_days", "missed_days")
number = st.one_of(st.floats(-5, 60), st.just(float("nan")), st.floats(allow_nan=False))
row = st.tuples(
    st.integers(1, 3),
    st.booleans(),
    st.one_of(st.floats(0, 50), st.floats(0, 1e300)),
    st.booleans(),
    st.integers(0, COUNT_MAX),
    st.tuples(*[st.integers(0, COUNT_MAX)] * 3),
    number,
    number,
    number,
)


def standings(rows: list[tuple[Any, ...]]) -> Standings:
    columns = [np.array(column) for column in zip(*rows, strict=True)]
    return Standings(*columns)


@st.composite
def one_made_worse(draw: st.DrawFn) -> tuple[Standings, Standings, int]:
    """Some alerts, the same with one of them worse in one respect, and which."""
    rows = draw(st.lists(row, min_size=1, max_size=8))
    before, index = standings(rows), draw(st.integers(0, len(rows) - 1))
    name = draw(st.sampled_from(WORSE))
    column = getattr(before, name).copy()
    if name == "severity":
        column[index] = min(3, column[index] + 1)
    elif column.dtype == bool:
        column[index] = True
    elif name == "others":
        column[index, draw(st.integers(0, 2))] += draw(st.integers(0, 9))
    else:
        column[index] += draw(st.integers(0, 9) if name == "readings" else st.floats(0, 1e6))
    return before, replace(before, **{name: column}), index


def places(rows: Standings) -> list[int]:
    """Row → place, all of one age, numbered in the order of rows."""
    count = len(rows.severity)
    first = order(points(rows).sum(axis=1), np.zeros(count, np.int64), np.arange(count))
    return np.argsort(first).tolist()


@given(one_made_worse())
def test_more_of_anything_bad_never_lowers_a_place(drawn: tuple[Standings, Standings, int]) -> None:
    before, after, index = drawn
    assert (points(after)[index] >= points(before)[index]).all()
    assert places(after)[index] <= places(before)[index]


@given(st.lists(row, min_size=1, max_size=12))
def test_severity_comes_first_and_then_what_nobody_has(rows: list[tuple[Any, ...]]) -> None:
    drawn = standings(rows)
    first = order(points(drawn).sum(axis=1), np.zeros(len(rows), np.int64), np.arange(len(rows)))
    rank = [(int(drawn.severity[one]), bool(drawn.free[one])) for one in first]
    assert rank == sorted(rank, reverse=True), (
        "a red stands above whatever is none, however much else is wrong with that"
    )


@given(st.lists(row, min_size=1, max_size=6))
def test_what_is_shown_adds_up_and_stays_within_its_most(rows: list[tuple[Any, ...]]) -> None:
    drawn = standings(rows)
    scored = points(drawn)
    for index in range(len(rows)):
        shown = parts(drawn, scored, index)
        assert [one.name for one in shown] == list(PARTS)
        assert sum(one.points for one in shown) == int(scored[index].sum())
        assert all(0 <= one.points <= one.most for one in shown)


def test_equal_alerts_stand_by_age_and_then_by_number() -> None:
    total, opened, number = np.array([5, 5, 5, 9]), np.array([30, 10, 10, 50]), np.array([1, 3, 2, 4])
    assert order(total, opened, number).tolist() == [3, 2, 1, 0]


def test_each_part_counts_as_the_readme_says() -> None:
    worst = standings([(3, True, 99.0, True, 99, (9, 9, 9), 99.0, 99.0, 99.0)])
    assert points(worst).tolist() == [list(MOST)]
    mild = standings([(2, True, 1.55, False, 3, (1, 0, 1), 1.3, 3.9, 2.0)])
    assert dict(zip(PARTS, points(mild)[0].tolist(), strict=True)) == {
        "severity": 200, "nobody has it": 100, "waiting": 15, "not back in range": 0, "repeated": 4, "other alerts": 12,
        "trend": 6, "silent": 2, "missed days": 2,
    }  # fmt: skip
    unknown = standings([(1, False, 0.0, False, 0, (0, 0, 0), float("nan"), float("nan"), float("nan"))])
    assert points(unknown).sum() == 0


def test_no_alerts_are_no_trouble() -> None:
    nothing = standings([(1, False, 0.0, False, 0, (0, 0, 0), 0.0, 0.0, 0.0)])
    none = Standings(*(getattr(nothing, name)[:0] for name in WORSE))
    assert points(none).shape == (0, len(PARTS))
