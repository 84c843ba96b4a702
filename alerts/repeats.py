"""Repeat before you shout: which first reading out of range waits, until when, and what a second one makes of it. Pure columns.

    first          out of range by itself, and the reading before it within `within_min` was not
    its second     the next reading within `within_min` of it, whatever that shows, unless it is a red of which the mean would
                   make none: such a red is a first itself, and asks for its own second
    judged         the mean of the two, as of the second; the first by itself says nothing any more
    no second      at the deadline it is raised as unconfirmed: a red as a red, the rest one severity lower
    disputed       a red of which the mean is out of no limit: a question, which calls nobody, whether both were the same person's
    lessened       a red of which the mean calls nobody and is out of a milder limit all the same: told as an orange
    at once        beyond the rule's `at_once` nothing waits, and nothing is averaged away
    unasked        where nobody at home can be asked for a second one nothing waits either: raised as unconfirmed, at once

A second that is out of range itself is a first to the one after it: of three readings in a row the last two are judged, and
nobody is asked twice. All of it follows from when the readings were measured, so the order in which they came does not matter,
and what comes after its deadline neither asks nor waits. A reading its own device doubts is a first like others, and nobody's
second; one whose time nobody could read has neither (its deadline cannot be known), and is judged by itself.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from alerts.judge import Judged, Rows, breaches
from alerts.limits import slot_of
from alerts.pairs import Pairs, averaged, paired
from alerts.rules import Comparison, Repeat, Rule
from alerts.series import Bools, Floats, Ints, Series, instant_of
from alerts.severity import Severity

#: How a reading was judged: by itself; as the mean of two; by itself, because no second one came, or nobody could be asked for
#: one; by itself, although its second made nothing of it, or less.
SINGLE, MEAN, UNCONFIRMED, UNASKED, DISPUTED, LESSENED = 0, 1, 2, 3, 4, 5
ALONE: Final = (UNCONFIRMED, UNASKED)
#: As in `unconfirmed_as`, by number.
_UNCONFIRMED_AS: Final = np.array([0, Severity.ROUTINE, Severity.ROUTINE, Severity.URGENT], np.int8)


class Outcome(StrEnum):
    """What became of a reading that waited for a second. The names are kept in the database: add, never rename."""

    CONFIRMED = "confirmed"
    #: The mean of the two calls nobody by itself; a first that was a red is told all the same (DISPUTED, LESSENED).
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


def told(severity: NDArray[np.int8], how: NDArray[np.int8]) -> NDArray[np.int8]:
    """What findings ask of a person: unconfirmed a red is a red, and the rest one severity lower, but never nothing."""
    asked = np.where(np.isin(how, ALONE), _UNCONFIRMED_AS[severity], severity)
    asked = np.where(how == LESSENED, np.int8(Severity.PRIORITY), asked)
    return np.where(how == DISPUTED, np.int8(Severity.ROUTINE), asked)


def told_as(severity: Severity, how: int) -> Severity:
    """The same of one."""
    return Severity(int(told(np.array([severity], np.int8), np.array([how], np.int8))[0]))


@dataclass(frozen=True, slots=True)
class Repeats:
    """One rule's readings and how each is judged.

    `amount`, beside each row: its value, the mean of two, or NaN where a second speaks for it. Per reading: its number, its
    pair, `how` (SINGLE …), and `until_us`, when it no longer waits (0: it does not). `alone`: what was judged of it by itself; `asks`:
    whether it waits where it has no pair; `unasked`: whether nobody could be asked for its second.
    """

    rows: Rows
    pairs: Pairs
    amount: Floats
    how: NDArray[np.int8]
    until_us: Ints
    alone: Judged
    asks: Bools
    unasked: Bools
    within_us: int

    @classmethod
    def of(
        cls, rule: Rule, repeat: Repeat, series: Series, rows: Rows, amount: Floats, alone: Judged, unasked: Ints
    ) -> "Repeats":
        """What repeats make of a rule's rows. `amount`: their values; `alone`: what was judged of those.

        `unasked`: the numbers of readings of which nobody can be asked for a second.
        """
        heads = rows.rows[rows.starts]
        doubted = series.doubted[heads]
        sound = ~doubted
        if rule.flagged != "judge":
            sound &= ~series.disturbed[heads]
        asks = alone.out & ~doubted
        found = paired(series, rows, amount, out=alone.out, asks=asks, sound=sound, within_us=repeat.within_us)
        at_once = rows.any(_at_once(rule, repeat, rows, amount))
        pairs = Pairs(np.where(at_once, -1, found.first), np.where(at_once, -1, found.second))
        nobody = np.isin(series.reading_no[heads], unasked)
        return cls._of_pairs(series, rows, amount, pairs, alone, asks & ~at_once, nobody, repeat.within_us)

    @classmethod
    def _of_pairs(
        cls, series: Series, rows: Rows, amount: Floats, pairs: Pairs, alone: Judged, asks: Bools, unasked: Bools,
        within_us: int,
    ) -> "Repeats":  # fmt: skip
        """The same of pairs that are known. `asks`: per reading, whether it waits where it is in no pair."""
        at_us = rows.at_us[rows.starts]
        how = np.full(len(rows.starts), SINGLE, np.int8)
        single = asks & (pairs.first < 0) & (pairs.second < 0)
        how[single] = np.where(unasked[single], UNASKED, UNCONFIRMED)
        how[pairs.first >= 0] = MEAN
        until = np.where(single & ~unasked, at_us + within_us, 0)
        if (pairs.first >= 0).any() or (pairs.second >= 0).any():
            amount = averaged(series, rows, amount, pairs)
        return cls(rows, pairs, amount, how, until, alone, asks, unasked, within_us)

    def with_reds_apart(self, series: Series, amount: Floats, averaged: Judged) -> "Repeats":
        """The same, where no red is averaged away by what came before it: such a one is nobody's second.

        `amount`: the values as they came; `averaged`: what was judged of `self.amount`.
        """
        first, second = self.pairs.first, self.pairs.second
        hidden = (first >= 0) & (self.alone.severity == Severity.URGENT) & (averaged.severity < Severity.URGENT)
        if not hidden.any():
            return self
        pairs = Pairs(np.where(hidden, -1, first), np.where((second >= 0) & hidden[second], -1, second))
        return self._of_pairs(series, self.rows, amount, pairs, self.alone, self.asks, self.unasked, self.within_us)

    def with_hidden_reds(self, amount: Floats, judged: Judged) -> tuple["Repeats", Judged]:
        """The same, where a red of which the mean calls nobody is still found.

        Where the mean is out of no limit it may be two people's (DISPUTED). Where it is, only what a milder band asks besides,
        another day's reading, keeps it from calling, and so high a reading is not for another day (LESSENED).
        `amount`: the values as they came; `judged`: what was judged of `self.amount`.
        """
        first, second, alone = self.pairs.first, self.pairs.second, self.alone
        hidden = (first < 0) & (second >= 0) & (alone.severity == Severity.URGENT) & (judged.severity[second] == 0)
        if not hidden.any():
            return self, judged
        number = np.repeat(np.arange(len(hidden)), np.diff(np.append(self.rows.starts, len(self.rows))))
        how = np.where(judged.out[second], np.int8(LESSENED), np.int8(DISPUTED))
        found = replace(self, amount=np.where(hidden[number], amount, self.amount), how=np.where(hidden, how, self.how))
        severity = np.where(hidden, alone.severity, judged.severity)
        return found, replace(judged, severity=severity, row=np.where(hidden, alone.row, judged.row))

    def of_reds(self, places: Ints) -> Bools:
        """Which of these readings rest on one that is a red by itself, whatever is asked of a person."""
        red, first = self.alone.severity == Severity.URGENT, self.pairs.first[places]
        return red[places] | ((first >= 0) & red[first])

    @property
    def changed(self) -> bool:
        """Whether anything is judged otherwise than by itself."""
        return bool((self.pairs.first >= 0).any() or (self.pairs.second >= 0).any())

    def waits(self, judged: Judged, now_us: int) -> Bools:
        """Per reading, whether it would call and may still be repeated."""
        return (judged.severity > 0) & (self.until_us > now_us)

    def found(self, judged: Judged, fresh: Ints, now_us: int) -> "Repeated":
        """The same beside the findings of these readings."""
        by_second = np.isin(self.how[fresh], (DISPUTED, LESSENED))
        other = np.where(by_second, self.pairs.second[fresh], self.pairs.first[fresh])
        rows_of_other = np.where(other >= 0, self.rows.rows[self.rows.starts[other]], -1)
        return Repeated(self.how[fresh], rows_of_other, (_Portion(self, judged, now_us),))


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
    """Beside a rule's findings: `how` each was judged, and the row in the series where the other reading begins (-1: none).

    The other is the one it repeats; of DISPUTED and LESSENED the one that repeats it.
    """

    how: NDArray[np.int8]
    other_row: Ints
    portions: tuple[_Portion, ...]

    @classmethod
    def joined(cls, parts: Iterable["Repeated | None"]) -> "Repeated | None":
        """Of portions that follow each other. A portion without one has no findings."""
        found = [part for part in parts if part is not None]
        if not found:
            return None
        return cls(
            np.concatenate([part.how for part in found]),
            np.concatenate([part.other_row for part in found]),
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


def _at_once(rule: Rule, repeat: Repeat, rows: Rows, amount: Floats) -> Bools:
    """Per row, whether its value is beyond what waits."""
    beyond = np.zeros(len(amount), np.bool_)
    for name, limit in repeat.at_once.items():
        inclusive = limit.comparison is Comparison.AT_LEAST
        for unit, value in limit.values.items():
            bound = float(np.nextafter(value, -np.inf)) if inclusive else value
            beyond |= (rows.slot == slot_of(name, unit)) & breaches(amount, bound, downward=rule.downward)
    return beyond
