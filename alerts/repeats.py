"""Repeat before you shout: which first reading out of range waits, until when, and what a second one makes of it. Pure columns.

    first          out of range by itself, and the reading before it within `within_min` was not
    its second     the next reading within `within_min` of it, whatever that shows, unless it is a red of which the mean would
                   make none: such a red is a first itself, and asks for its own second
    judged         the mean of the two, as of the second; the first by itself says nothing any more
    no second      at the deadline it is raised as unconfirmed: a red as a red, the rest one severity lower
    at once        beyond the rule's `at_once` nothing waits, and nothing is averaged away
    unasked        where nobody at home can be asked for a second one nothing waits either: raised as unconfirmed, at once

A second that is out of range itself is a first to the one after it: of three readings in a row the last two are judged, and
nobody is asked twice. All of it follows from when the readings were measured, so the order in which they came does not matter,
and what comes after its deadline neither asks nor waits. A reading its own device doubts is a first like others, and nobody's
second; one whose time nobody could read has neither (its deadline cannot be known), and is judged by itself.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from alerts.judge import Judged, Rows, breaches
from alerts.kernels.gains import mean_of
from alerts.limits import slot_of
from alerts.rules import Comparison, Repeat, Rule
from alerts.sentences import Value
from alerts.series import Bools, Floats, Ints, Series, instant_of
from alerts.severity import Severity
from schemas.codes import UNIT_NUMBER

#: How a reading was judged: by itself; as the mean of two; by itself, because no second one came, or nobody could be asked for one.
SINGLE, MEAN, UNCONFIRMED, UNASKED = 0, 1, 2, 3
ALONE: Final = (UNCONFIRMED, UNASKED)
#: As in `unconfirmed_as`, by number.
_UNCONFIRMED_AS: Final = np.array([0, Severity.ROUTINE, Severity.ROUTINE, Severity.URGENT], np.int8)


class Outcome(StrEnum):
    """What became of a reading that waited for a second. The names are kept in the database: add, never rename."""

    CONFIRMED = "confirmed"
    #: The mean of the two is out of no limit that would have called.
    NOT_CONFIRMED = "not_confirmed"
    UNANSWERED = "unanswered"
    #: The first reading is no longer this patient's, or no longer out of range: corrected, voided, another limit.
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Waiting:
    """A first reading out of range that waits for a second until then; `severity`: what it would be by itself."""

    patient: int
    rule_id: str
    reading_no: int
    severity: Severity
    measured_at: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Pairs:
    """Per reading: the place of the one it repeats, and of the one that repeats it; -1: there is none."""

    first: Ints
    second: Ints


def told(severity: NDArray[np.int8], how: NDArray[np.int8]) -> NDArray[np.int8]:
    """What findings ask of a person: unconfirmed a red is a red, and the rest one severity lower, but never nothing."""
    return np.where(np.isin(how, ALONE), _UNCONFIRMED_AS[severity], severity)


def unconfirmed_as(severity: Severity) -> Severity:
    """The same of one that is."""
    return severity if severity is Severity.URGENT else severity.lower


def pair(patient: Ints, at_us: Ints, *, out: Bools, sound: Bools, within_us: int) -> Pairs:
    """Readings sorted by (patient, time): whose second each is. `out`: by itself out of range; `sound`: can be a second."""
    count = len(patient)
    place = np.arange(count)
    none = np.full(count, -1)
    if not count:
        return Pairs(none, none)

    def before(flags: Bools) -> Ints:
        """The place of the nearest flagged reading before each; -1: none."""
        found = np.empty(count, np.int64)
        found[0] = -1
        found[1:] = np.maximum.accumulate(np.where(flags, place, -1))[:-1]
        return found

    def near(other: Ints) -> Bools:
        """Whether it is of the same patient, and no longer before."""
        return (other >= 0) & (patient[other] == patient) & (at_us - at_us[other] <= within_us)

    last_sound, last_out = before(sound), before(out)
    # The sound reading before it, where that was out; else a doubtful one in between, which was.
    steady = near(last_sound) & out[last_sound]
    doubtful = near(last_out) & (last_out > last_sound)
    first = np.where(sound & steady, last_sound, np.where(sound & doubtful, last_out, -1))
    # The next sound reading, seen from the end.
    next_sound = np.empty(count, np.int64)
    next_sound[-1] = count
    next_sound[:-1] = np.minimum.accumulate(np.where(sound, place, count)[::-1])[::-1][1:]
    there = np.minimum(next_sound, count - 1)
    has = (next_sound < count) & (patient[there] == patient) & (at_us[there] - at_us <= within_us)
    return Pairs(first, np.where(out & has, there, -1))


@dataclass(frozen=True, slots=True)
class Repeats:
    """One rule's readings and how each is judged.

    `amount`, beside each row: its value, the mean of two, or NaN where a second speaks for it. Per reading: its number, its
    pair, `how` (SINGLE …), and `until_us`, when it no longer waits (0: it does not). `asks`: whether it waits where it has no pair;
    `unasked`: whether nobody could be asked for its second.
    """

    rows: Rows
    pairs: Pairs
    amount: Floats
    how: NDArray[np.int8]
    until_us: Ints
    asks: Bools
    unasked: Bools
    within_us: int

    @classmethod
    def of(
        cls, rule: Rule, repeat: Repeat, series: Series, rows: Rows, amount: Floats, out: Bools, unasked: Ints
    ) -> "Repeats":
        """What repeats make of a rule's rows. `amount`: their values; `out`: per reading, whether any limit is breached.

        `unasked`: the numbers of readings of which nobody can be asked for a second.
        """
        starts = rows.starts
        patient, at_us = rows.patient[starts], rows.at_us[starts]
        doubted = series.doubted[rows.rows[starts]]
        sound = ~doubted
        if rule.flagged != "judge":
            sound &= ~series.disturbed[rows.rows[starts]]
        order = _in_order(series, rows, amount, sound, out)
        within_us = repeat.within_us
        first, second = _paired(order, patient, at_us, out & ~doubted, sound, within_us)
        at_once = rows.any(_at_once(rule, repeat, rows, amount))
        pairs = Pairs(np.where(at_once, -1, first), np.where(at_once, -1, second))
        alone = np.isin(series.reading_no[rows.rows[starts]], unasked)
        return cls._of_pairs(series, rows, amount, pairs, out & ~doubted & ~at_once, alone, within_us)

    @classmethod
    def _of_pairs(
        cls, series: Series, rows: Rows, amount: Floats, pairs: Pairs, asks: Bools, unasked: Bools, within_us: int
    ) -> "Repeats":
        """The same of pairs that are known. `asks`: per reading, whether it waits where it is in no pair."""
        at_us = rows.at_us[rows.starts]
        how = np.full(len(rows.starts), SINGLE, np.int8)
        alone = asks & (pairs.first < 0) & (pairs.second < 0)
        how[alone] = np.where(unasked[alone], UNASKED, UNCONFIRMED)
        how[pairs.first >= 0] = MEAN
        until = np.where(alone & ~unasked, at_us + within_us, 0)
        if (pairs.first >= 0).any() or (pairs.second >= 0).any():
            amount = _amounts(series, rows, amount, pairs.first, pairs.second)
        return cls(rows, pairs, amount, how, until, asks, unasked, within_us)

    def with_reds_apart(self, series: Series, amount: Floats, alone: Judged, averaged: Judged) -> "Repeats":
        """The same, where no red is averaged away by what came before it: such a one is nobody's second.

        `amount`: the values as they came; `alone`, `averaged`: what was judged of those, and of `self.amount`.
        """
        first, second = self.pairs.first, self.pairs.second
        hidden = (first >= 0) & (alone.severity == Severity.URGENT) & (averaged.severity < Severity.URGENT)
        if not hidden.any():
            return self
        pairs = Pairs(np.where(hidden, -1, first), np.where((second >= 0) & hidden[second], -1, second))
        return self._of_pairs(series, self.rows, amount, pairs, self.asks, self.unasked, self.within_us)

    @property
    def changed(self) -> bool:
        """Whether anything is judged otherwise than by itself."""
        return bool((self.pairs.first >= 0).any() or (self.pairs.second >= 0).any())

    def waits(self, judged: Judged, now_us: int) -> Bools:
        """Per reading, whether it would call and may still be repeated."""
        return (judged.severity > 0) & (self.until_us > now_us)

    def found(self, judged: Judged, fresh: Ints, now_us: int) -> "Repeated":
        """The same beside the findings of these readings."""
        first = self.pairs.first[fresh]
        rows_of_first = np.where(first >= 0, self.rows.rows[self.rows.starts[first]], -1)
        return Repeated(self.how[fresh], rows_of_first, (_Portion(self, judged, now_us),))


@dataclass(frozen=True, slots=True)
class _Portion:
    """The repeats of one portion of the patients, and what was judged of them."""

    repeats: Repeats
    judged: Judged
    now_us: int

    def waiting(self, rule: Rule, series: Series) -> Iterator[Waiting]:
        rows, until_us = self.repeats.rows, self.repeats.until_us
        for index in np.flatnonzero(self.repeats.waits(self.judged, self.now_us)):
            row = rows.starts[index]
            yield Waiting(
                patient=int(rows.patient[row]),
                rule_id=rule.id,
                reading_no=int(series.reading_no[rows.rows[row]]),
                severity=Severity(int(self.judged.severity[index])),
                measured_at=instant_of(int(rows.at_us[row])),
                until=instant_of(int(until_us[index])),
            )

    def outcome(self, place: int) -> Outcome | None:
        severity, second = self.judged.severity, int(self.repeats.pairs.second[place])
        if second >= 0:
            return Outcome.CONFIRMED if severity[second] else Outcome.NOT_CONFIRMED
        if not severity[place]:
            return Outcome.GONE
        return None if self.repeats.until_us[place] > self.now_us else Outcome.UNANSWERED


@dataclass(frozen=True, slots=True)
class Repeated:
    """Beside a rule's findings: `how` each was judged, and the row in the series where the reading it repeats begins (-1: none)."""

    how: NDArray[np.int8]
    first_row: Ints
    portions: tuple[_Portion, ...]

    @classmethod
    def joined(cls, parts: Iterable["Repeated | None"]) -> "Repeated | None":
        """Of portions that follow each other. A portion without one has no findings."""
        found = [part for part in parts if part is not None]
        if not found:
            return None
        return cls(
            np.concatenate([part.how for part in found]),
            np.concatenate([part.first_row for part in found]),
            tuple(portion for part in found for portion in part.portions),
        )

    def waiting(self, rule: Rule, series: Series) -> Iterator[Waiting]:
        """The readings that wait, by patient and time."""
        for portion in self.portions:
            yield from portion.waiting(rule, series)

    def outcome(self, series: Series, reading_no: int) -> Outcome | None:
        """What became of a reading that waited; None: it still does."""
        for portion in self.portions:
            rows = portion.repeats.rows
            places = np.flatnonzero(series.reading_no[rows.rows[rows.starts]] == reading_no)
            if len(places):
                return portion.outcome(int(places[0]))
        return Outcome.GONE


def _in_order(series: Series, rows: Rows, amount: Floats, sound: Bools, out: Bools) -> Ints | None:
    """The readings in an order that does not depend on how they came: those of one instant by what they show; None: as they are."""
    patient, at_us = rows.patient[rows.starts], rows.at_us[rows.starts]
    if not ((patient[1:] == patient[:-1]) & (at_us[1:] == at_us[:-1])).any():
        return None
    begins, ends = rows.starts, np.append(rows.starts[1:], len(rows)) - 1
    unit = series.unit[rows.rows[begins]]
    return np.lexsort((amount[ends], amount[begins], unit, sound, out, at_us, patient))


def _paired(
    order: Ints | None, patient: Ints, at_us: Ints, out: Bools, sound: Bools, within_us: int
) -> tuple[Ints, Ints]:
    if order is None:
        found = pair(patient, at_us, out=out, sound=sound, within_us=within_us)
        return found.first, found.second
    found = pair(patient[order], at_us[order], out=out[order], sound=sound[order], within_us=within_us)
    first, second = np.full(len(order), -1), np.full(len(order), -1)
    first[order] = np.where(found.first >= 0, order[found.first], -1)
    second[order] = np.where(found.second >= 0, order[found.second], -1)
    return first, second


def _at_once(rule: Rule, repeat: Repeat, rows: Rows, amount: Floats) -> Bools:
    """Per row, whether its value is beyond what waits."""
    beyond = np.zeros(len(amount), np.bool_)
    for name, limit in repeat.at_once.items():
        inclusive = limit.comparison is Comparison.AT_LEAST
        for unit, value in limit.values.items():
            bound = float(np.nextafter(value, -np.inf)) if inclusive else value
            beyond |= (rows.slot == slot_of(name, unit)) & breaches(amount, bound, downward=rule.downward)
    return beyond


def _amounts(series: Series, rows: Rows, amount: Floats, first: Ints, second: Ints) -> Floats:
    """Beside each row, what is judged."""
    repeats = np.flatnonzero(first >= 0)
    ends = np.append(rows.starts[1:], len(rows))
    made = amount.copy()
    number = np.repeat(np.arange(len(rows.starts)), ends - rows.starts)
    code, unit = series.code[rows.rows], series.unit[rows.rows]
    for quantity in np.unique(code):
        here = code == quantity
        # Per reading, the row of this quantity; a reading holds each quantity once.
        row_of = np.full(len(rows.starts), -1)
        row_of[number[here]] = np.flatnonzero(here)
        later, earlier = row_of[repeats], row_of[first[repeats]]
        both = (later >= 0) & (earlier >= 0)
        later, earlier = later[both], earlier[both]
        mean = mean_of(amount[earlier], unit[earlier], amount[later], unit[later])
        # What the first lacks is judged as the second has it.
        made[later] = np.where(np.isfinite(mean), mean, amount[later])
    # Whom a second speaks for, and who is nobody's second, says nothing; of three in a row the middle one is a mean.
    silent = (second >= 0) & (first < 0)
    made[silent[number]] = np.nan
    return made


def mean_values(first: Sequence[Value], second: Sequence[Value]) -> tuple[Value, ...]:
    """The mean of two readings as it was judged, in the unit of the second; what the first lacks is the second's."""
    earlier = {value.quantity: value for value in first}
    return tuple(_mean_value(earlier.get(value.quantity, value), value) for value in second)


def _mean_value(first: Value, second: Value) -> Value:
    units = (np.array([UNIT_NUMBER[value.unit]], np.int16) for value in (first, second))
    values = (np.array([value.value]) for value in (first, second))
    (one, other), (one_unit, other_unit) = values, units
    return replace(second, value=float(mean_of(one, one_unit, other, other_unit)[0]), role="mean")
