"""Whose a reading may be: told apart where values do it, and never where two people fit alike."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rpm.suggestion import COUNT_MIN, PEOPLE_MAX, Confidence, Measured, Says, Standing, Suggestion, User, suggest
from schemas.quantity import KG_PER_LB
from schemas.reading import TimeSource
from tests.support.readings import pressure, temperature, weight

#: 07:42 in New York.
AT = datetime(2026, 6, 10, 11, 42, tzinfo=UTC)
HERS = [71.2, 71.6, 72.0, 72.3, 72.5, 72.8, 73.0, 72.1, 72.4, 71.9]
HIS = [88.0, 88.4, 88.9, 89.1, 88.7, 88.2, 89.4, 88.8, 88.5, 88.6]


def _user(
    number: int,
    values: Sequence[float],
    *,
    name: str = "body_weight",
    minutes: int = 0,
    slots: Sequence[int | None] = (None,),
    zone: str = "America/New_York",
) -> User:
    """Somebody who measured once on each of the days before, so many minutes later in the day than the reading."""
    known = [Measured(AT - timedelta(days=n + 1) + timedelta(minutes=minutes), each) for n, each in enumerate(values)]
    return User(number, UUID(int=number), f"Person {number}", date(1950, 1, 1), zone, frozenset(slots), {name: known})


def _confidences(suggestion: Suggestion) -> dict[int, Confidence]:
    return {each.user.patient_id: each.confidence for each in suggestion.ranking}


def _of(suggestion: Suggestion, number: int) -> Standing:
    return next(each for each in suggestion.ranking if each.user.patient_id == number)


def test_spouses_of_different_weight_are_told_apart_and_every_part_says_why() -> None:
    found = suggest(weight(72.4, AT), [_user(2, HIS), _user(1, HERS)])
    assert _confidences(found) == {1: Confidence.LIKELY, 2: Confidence.NOT}
    assert found.likely is found.ranking[0]
    assert found.short == "likely Person 1"
    assert found.ranking[0].reasons == (
        "Weight: usually 70.9 to 73.5 kg (10 values within 60 days); this one 72.4: fits",
        "Time of day: 10 of 10 came within an hour of 07:42 where they live",
        "User: the device does not say which",
    )
    assert "far outside" in found.ranking[1].values.words


def test_two_who_fit_alike_cannot_be_told() -> None:
    found = suggest(weight(72.4, AT), [_user(1, HERS), _user(2, HERS)])
    assert set(_confidences(found).values()) == {Confidence.CANNOT_TELL}
    assert found.sentence == "Cannot tell: it fits several people alike."
    assert found.short == "cannot tell"


def test_the_time_of_day_orders_two_and_makes_nobody_likely() -> None:
    found = suggest(weight(72.4, AT), [_user(1, HERS, minutes=600), _user(2, HERS, minutes=20)])
    assert [each.user.patient_id for each in found.ranking] == [2, 1]
    assert set(_confidences(found).values()) == {Confidence.POSSIBLE}
    assert _of(found, 1).hours.says is Says.AGAINST


def test_an_unusual_time_takes_a_likely_away() -> None:
    found = suggest(weight(72.4, AT), [_user(1, HERS, minutes=600), _user(2, HIS)])
    assert _confidences(found)[1] is Confidence.POSSIBLE


def test_who_measures_morning_and_evening_fits_at_both() -> None:
    mornings, evenings = _user(1, HERS).usual["body_weight"], _user(1, HERS, minutes=720).usual["body_weight"]
    both = User(
        1,
        UUID(int=1),
        "Both",
        date(1950, 1, 1),
        "America/New_York",
        frozenset({None}),
        {"body_weight": [*mornings, *evenings]},
    )
    for at in (AT, AT + timedelta(hours=12)):
        assert suggest(weight(72.4, at), [both]).ranking[0].hours.says is Says.FITS


def test_midnight_does_not_part_two_minutes() -> None:
    midnight = datetime(2026, 6, 10, 3, 58, tzinfo=UTC)  # 23:58 in New York
    late = [Measured(midnight - timedelta(days=n) + timedelta(minutes=5), each) for n, each in enumerate(HERS, 1)]
    user = User(1, UUID(int=1), "Owl", date(1950, 1, 1), "America/New_York", frozenset({None}), {"body_weight": late})
    assert suggest(weight(72.4, midnight), [user]).ranking[0].hours.says is Says.FITS


def test_a_habit_is_kept_by_the_clock_on_the_wall() -> None:
    """Summer time began between: 07:42 stays 07:42, an hour and a half earlier by UTC would not have been."""
    at = datetime(2026, 3, 12, 11, 42, tzinfo=UTC)  # 07:42 EDT
    before = [datetime(2026, 3, 7, 13, 30, tzinfo=UTC) - timedelta(days=n) for n in range(6)]  # 08:30 EST
    known = [Measured(each, 72.0) for each in before]
    user = User(1, UUID(int=1), "Ada", date(1950, 1, 1), "America/New_York", frozenset({None}), {"body_weight": known})
    assert suggest(weight(72.0, at), [user]).ranking[0].hours.says is Says.FITS


def test_an_uncertain_clock_says_nothing_of_the_time_of_day() -> None:
    reading = weight(72.4, AT, time_source=TimeSource.ESTIMATED, uncertainty_s=86_400.0)
    found = suggest(reading, [_user(1, HERS, minutes=600), _user(2, HIS)])
    assert found.ranking[0].hours.says is Says.SILENT
    assert found.likely is found.ranking[0]


def test_the_slot_tells_two_of_one_weight_apart() -> None:
    found = suggest(weight(72.4, AT, user_slot=2), [_user(1, HERS, slots=[1]), _user(2, HERS, slots=[2])])
    assert _confidences(found) == {2: Confidence.LIKELY, 1: Confidence.POSSIBLE}
    assert [each.slot.words for each in found.ranking] == [
        "User 2 is or was theirs",
        "User 2 is not theirs: they use 1",
    ]


def test_a_slot_does_not_outweigh_a_value() -> None:
    """He stood on it as user 1, which is hers: his weight fits him and speaks against her; neither is likely."""
    found = suggest(weight(88.6, AT, user_slot=1), [_user(1, HERS, slots=[1]), _user(2, HIS, slots=[2])])
    assert _confidences(found) == {2: Confidence.POSSIBLE, 1: Confidence.NOT}


def test_some_user_is_no_slot() -> None:
    found = suggest(weight(72.4, AT, user_slot=255), [_user(1, HERS, slots=[1]), _user(2, HERS, slots=[2])])
    assert found.likely is None
    assert {each.slot.says for each in found.ranking} == {Says.SILENT}


def test_too_few_values_cannot_tell_and_keep_the_other_from_being_likely() -> None:
    found = suggest(weight(72.4, AT), [_user(1, HERS), _user(2, HIS[: COUNT_MIN - 1])])
    assert _confidences(found) == {1: Confidence.POSSIBLE, 2: Confidence.CANNOT_TELL}
    assert "4 known, fewer than 5: cannot tell" in _of(found, 2).values.words


def test_just_outside_settles_nothing() -> None:
    """The other's value a little beyond the usual may still be theirs."""
    found = suggest(weight(74.5, AT), [_user(1, HERS), _user(2, [each + 3 for each in HERS])])
    assert _of(found, 1).values.says is Says.NEAR
    assert _confidences(found) == {2: Confidence.POSSIBLE, 1: Confidence.POSSIBLE}
    assert [each.user.patient_id for each in found.ranking] == [2, 1]


def test_every_value_of_a_pressure_must_fit() -> None:
    readings = {"systolic": [120.0 + n for n in range(8)], "diastolic": [80.0 + n % 3 for n in range(8)]}
    usual = {
        name: [Measured(AT - timedelta(days=n + 1), each) for n, each in enumerate(values)]
        for name, values in readings.items()
    }
    user = User(1, UUID(int=1), "Ada", date(1950, 1, 1), "UTC", frozenset({None}), usual)
    assert suggest(pressure(123, 81, AT), [user]).ranking[0].confidence is Confidence.POSSIBLE
    assert suggest(pressure(123, 110, AT), [user]).ranking[0].confidence is Confidence.NOT


def test_one_alone_is_at_most_possible_and_none_or_a_crowd_is_nobody() -> None:
    assert _confidences(suggest(weight(72.4, AT), [_user(1, HERS)])) == {1: Confidence.POSSIBLE}
    assert suggest(weight(72.4, AT), []).ranking == ()
    crowd = suggest(weight(72.4, AT), [_user(n, HERS if n else HIS) for n in range(PEOPLE_MAX + 1)])
    assert (crowd.ranking, crowd.short) == ((), "cannot tell")


def test_a_visitor_fits_nobody() -> None:
    found = suggest(weight(55, AT), [_user(1, HERS), _user(2, HIS)])
    assert set(_confidences(found).values()) == {Confidence.NOT}
    assert "a visitor" in found.sentence


@pytest.mark.parametrize("stray", [20.0, 88.6, 200.0])
def test_one_value_of_somebody_else_among_the_usual_changes_nothing(stray: float) -> None:
    for hers in ([*HERS, stray], [*HERS[:COUNT_MIN], stray]):
        found = suggest(weight(72.4, AT), [_user(1, hers), _user(2, HIS)])
        assert _confidences(found) == {1: Confidence.LIKELY, 2: Confidence.NOT}
        assert _confidences(suggest(weight(88.6, AT), [_user(1, hers), _user(2, HIS)]))[1] is Confidence.NOT


# Tenths, as a scale shows them.
_tenths = st.integers(400, 1500).map(lambda n: n / 10)
_lists = st.lists(_tenths, max_size=12)


def _kinds(found: Suggestion) -> list[tuple[int, Confidence, Says, Says, Says]]:
    return [(each.user.patient_id, each.confidence, *each.parts) for each in found.ranking]


@given(_tenths, _lists, _lists, st.integers(-200, 200).map(lambda n: n / 10))
def test_shifting_everybody_alike_changes_nothing(value: float, one: list[float], two: list[float], by: float) -> None:
    before = suggest(weight(value, AT), [_user(1, one), _user(2, two)])
    after = suggest(weight(value + by, AT), [_user(1, [n + by for n in one]), _user(2, [n + by for n in two])])
    assert _kinds(before) == _kinds(after)


@given(_tenths, _lists, _lists)
def test_the_unit_changes_no_ranking(value: float, one: list[float], two: list[float]) -> None:
    kg = suggest(weight(value, AT), [_user(1, one), _user(2, two)])
    pounds = [[n / KG_PER_LB for n in values] for values in (one, two)]
    lb = suggest(weight(value / KG_PER_LB, AT, unit="[lb_av]"), [_user(1, pounds[0]), _user(2, pounds[1])])
    assert _kinds(kg) == _kinds(lb)


_people = st.lists(st.tuples(_lists, st.integers(0, 1439), st.sampled_from([None, 1, 2])), min_size=1, max_size=4)


@given(_tenths, st.sampled_from([None, 1, 2, 255]), _people, st.integers(0, 3))
def test_nobody_is_likely_where_another_fits_alike(
    value: float, slot: int | None, people: list[tuple[list[float], int, int | None]], which: int
) -> None:
    twin = people[which % len(people)]
    users = [_user(n, v, minutes=m, slots=[s]) for n, (v, m, s) in enumerate([*people, twin])]
    found = suggest(weight(value, AT, user_slot=slot), users)
    likely = [each for each in found.ranking if each.confidence is Confidence.LIKELY]
    assert len(likely) <= 1
    twins = {which % len(people), len(people)}
    assert not twins & {each.user.patient_id for each in likely}
    for one in likely:
        assert not any(one.alike(other) for other in found.ranking if other is not one)


@given(_tenths, st.lists(_lists, min_size=1, max_size=4))
def test_the_order_of_asking_changes_nothing(value: float, people: list[list[float]]) -> None:
    users = [_user(n, values) for n, values in enumerate(people)]
    assert _kinds(suggest(weight(value, AT), users)) == _kinds(suggest(weight(value, AT), users[::-1]))


@pytest.mark.parametrize("unit_kg", [1.0, KG_PER_LB])
def test_the_narrowest_range_is_a_kilogram_in_either_unit_and_its_edge_is_inside(unit_kg: float) -> None:
    unit = "kg" if unit_kg == 1 else "[lb_av]"
    for tenths in range(500, 1000, 7):
        steady = _user(1, [tenths / 10 / unit_kg] * 6)

        def says(away_kg: float, *, tenths: int = tenths, steady: User = steady) -> Says:
            found = suggest(weight((tenths / 10 + away_kg) / unit_kg, AT, unit=unit), [steady])
            return found.ranking[0].values.says

        assert [says(each) for each in (1.0, -1.0, 1.1, 2.0, 2.1)] == [
            Says.FITS,
            Says.FITS,
            Says.NEAR,
            Says.NEAR,
            Says.AGAINST,
        ]


def test_a_temperatures_range_is_a_difference_whatever_its_zero() -> None:
    steady = _user(1, [98.6] * 6, name="body_temperature")
    says = [
        suggest(temperature(each, AT, unit="[degF]"), [steady]).ranking[0].values.says for each in (99.1, 99.6, 99.8)
    ]
    assert says == [Says.FITS, Says.NEAR, Says.AGAINST]
