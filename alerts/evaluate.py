"""All rules over all claimed patients at once, in numpy: no Python loop over patients or readings.

Each rule is reduced to one question per row, "how far is this amount from its limit": the amount is the value itself, or
what the rule's measure makes of the readings up to it (`alerts.amounts`). Everything that is only needed to explain a finding
is looked up afterwards, for the few rows that have one (`alerts.findings`).
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import ceil
from typing import Final

import numpy as np
from numpy.typing import NDArray

from alerts.amounts import Amounts, amounts_of, hours_silent
from alerts.changes import Changes, changes_of
from alerts.facts import NEVER, NO_FACTS, Facts
from alerts.findings import Findings, RuleFailure
from alerts.found import ASKS_AGAIN, ASKS_BOTH, ASKS_NOTHING, ASKS_WHO, Explained, RuleFindings
from alerts.joins import of_portions, of_quantities, portions
from alerts.judge import Judged, Rows, judge, standing
from alerts.limits import LIMIT_UNITS, Limits, among, slot_of
from alerts.repeats import DISPUTED, Repeats, told
from alerts.rules import Rule
from alerts.series import US_PER_HOUR, Floats, Ints, Series, microseconds, run_starts
from alerts.settled import NOTHING_SETTLED, Settled
from alerts.tracks import Look, Track, looked_at, track_of
from schemas.codes import BY_NAME

#: Values measured longer ago than this never open an alert: backfill of that age is history for the chart.
RAISE_WINDOW_H: Final = 7 * 24.0


def window_of(rules: Iterable[Rule]) -> timedelta:
    """How far back values matter: what may open an alert, and what the longest rule compares it with."""
    return timedelta(hours=RAISE_WINDOW_H + max((rule.lookback_h for rule in rules), default=0.0))


def memory_of(rules: Sequence[Rule]) -> timedelta:
    """How far back closed alerts matter: as long as they own a reading of the window, or keep their rule quiet."""
    return max([window_of(rules), *(timedelta(days=rule.again_after_days or 0) for rule in rules)])


#: What rules share: some quantities, how many days before what may be found, which rows of them (None: all).
_Looked = tuple[tuple[str, ...], int, Look | None]


@dataclass(slots=True)
class _Evaluation:
    """One portion of one call: what it was given, and what rules share. Rows are those of the whole series."""

    series: Series
    limits: Limits
    facts: Facts
    now_us: int
    portion: slice
    unasked: Ints
    whole: dict[tuple[str, ...], tuple[Ints, Ints]] = field(default_factory=dict[tuple[str, ...], tuple[Ints, Ints]])
    rows: dict[_Looked, Ints] = field(default_factory=dict[_Looked, Ints])
    picked: dict[_Looked, Rows] = field(default_factory=dict[_Looked, Rows])
    tracks: dict[_Looked, Track] = field(default_factory=dict[_Looked, Track])

    @property
    def since_us(self) -> int:
        """Only what was measured since then may be found."""
        return self.now_us - int(RAISE_WINDOW_H * US_PER_HOUR)

    def values(self, rule: Rule) -> Rows:
        """The rows of a rule that looks at values; shared where rules look at the same."""
        key, rows = self._looked(rule.quantities, rule)
        if key not in self.picked:
            self.picked[key] = Rows.of(self.series, rows)
        return self.picked[key]

    def track(self, quantity: str, rule: Rule) -> Track:
        """The track of a quantity that a rule looks at; shared where rules look at the same."""
        key, rows = self._looked((quantity,), rule)
        if key not in self.tracks:
            self.tracks[key] = track_of(self.series, quantity, rows)
        return self.tracks[key]

    def rows_of(self, quantities: tuple[str, ...]) -> tuple[Ints, Ints]:
        """All rows of some quantities, and when they were measured."""
        if quantities not in self.whole:
            rows = self.series.rows_of([BY_NAME[name].number for name in quantities], self.portion)
            self.whole[quantities] = rows, self.series.measured_at_us[rows]
        return self.whole[quantities]

    def _looked(self, quantities: tuple[str, ...], rule: Rule) -> tuple[_Looked, Ints]:
        """The rows that a rule looks at, and by which name they are shared."""
        days = _days_before(rule)
        whole = self._since(quantities, days)
        look = Look.of(rule)
        key = (quantities, days, look)
        if key not in self.rows:
            self.rows[key] = looked_at(self.series, look, self.facts, whole)
        rows = self.rows[key]
        return (key, rows) if rows is not whole else ((quantities, days, None), whole)

    def _since(self, quantities: tuple[str, ...], days: int) -> Ints:
        """The rows of some quantities, no more than so many days before what may be found."""
        key = (quantities, days, None)
        if key not in self.rows:
            rows, at_us = self.rows_of(quantities)
            self.rows[key] = rows[at_us >= self.since_us - days * 24 * US_PER_HOUR]
        return self.rows[key]


def _days_before(rule: Rule) -> int:
    """How many days before what may be found a rule has to see: its look-back, and a day that a session may have begun in."""
    return ceil(rule.lookback_h / 24) + 1


def evaluate(
    series: Series,
    rules: Sequence[Rule],
    *,
    limits: Limits,
    now: datetime,
    settled: Mapping[str, Settled] = NOTHING_SETTLED,
    facts: Facts = NO_FACTS,
    unasked: Collection[int] = (),
) -> Findings:
    """Every breach within the last RAISE_WINDOW_H that no alert knows yet, and where each patient stands per rule.

    The series must reach `RAISE_WINDOW_H` plus the rules' longest look-back into the past. A rule that raises becomes a
    RuleFailure; the others still speak (H2), and so does what it said of other portions of the patients (`alerts.joins`). `facts`: who is under 18 or pregnant, where who lives; of whom nothing is known
    an adult in UTC. A rule over silence speaks only of patients in `facts`. `unasked`: readings, by number, of which nobody at home
    can be asked for a second: none of them waits for one.
    """
    now_us = microseconds(now)
    unasked_no = np.array(sorted(unasked), np.int64)
    parts: dict[str, list[RuleFindings]] = {rule.id: [] for rule in rules}
    failures: dict[str, RuleFailure] = {}

    def apply(rules: Sequence[Rule], portion: slice) -> None:
        given = _Evaluation(series, limits, facts, now_us, portion, unasked_no)
        for rule in rules:
            try:
                parts[rule.id].append(_apply(given, rule, settled.get(rule.id)))
            except Exception as error:  # noqa: BLE001 - the edge of one rule, by name: its fault must not silence the others
                failures[rule.id] = RuleFailure(rule.id, rule.version, type(error).__name__)

    # A silence is of patients, those among them who have no rows.
    apply([rule for rule in rules if rule.missed is not None], slice(0, len(series)))
    spoken = [rule for rule in rules if rule.missed is None]
    for portion in portions(series.patient):
        apply(spoken, portion)
    return Findings(
        series,
        limits,
        tuple(of_portions(parts[rule.id]) for rule in rules if parts[rule.id]),
        tuple(failures[rule.id] for rule in rules if rule.id in failures),
        facts,
        unruled(series.patient[run_starts(series.patient)], limits, facts, now=now),
    )


def _apply(given: _Evaluation, rule: Rule, settled: Settled | None) -> RuleFindings:
    if rule.missed is not None:
        return _silences(given, rule, settled)
    if rule.measure is None:
        picked = given.values(rule)
        amount = given.series.value[picked.rows]
        judged = judge(rule, given.limits, picked, amount, given.facts)
        if rule.repeat is None or not judged.out.any():
            return _found(given, rule, picked, judged, amount, settled)
        repeats = Repeats.of(rule, rule.repeat, given.series, picked, amount, judged, given.unasked)
        if repeats.changed:
            averaged = judge(rule, given.limits, picked, repeats.amount, given.facts)
            apart = repeats.with_reds_apart(given.series, amount, averaged)
            made = averaged if apart is repeats else judge(rule, given.limits, picked, apart.amount, given.facts)
            repeats, judged = apart.with_hidden_reds(amount, made)
        return _found(given, rule, picked, judged, repeats.amount, settled, repeats=repeats)
    parts = [_measured(given, rule, given.track(quantity, rule), settled) for quantity in rule.quantities]
    return of_quantities(parts)


def _measured(given: _Evaluation, rule: Rule, track: Track, settled: Settled | None) -> RuleFindings:
    """A measure's findings on one quantity."""
    judged_rows = track.at_us >= given.since_us
    changes: Changes | None = None
    if rule.reference is not None:
        changes = changes_of(rule, rule.reference, track)
        amounts = changes.amounts
    else:
        amounts = amounts_of(rule, track, given.facts, judged=judged_rows, now_us=given.now_us)
    assert rule.measure is not None
    unit = rule.measure.unit
    rows = Rows.of_track(amounts.track, LIMIT_UNITS[unit] if unit else None)
    judged = judge(rule, given.limits, rows, amounts.amount, given.facts)
    amount, asks = amounts.amount, np.zeros(len(rows.starts), np.int8)
    if changes is not None and changes.jumped is not None:
        # What the change is without the jumps: more or less than with them, somebody has to ask.
        without = judge(rule, given.limits, rows, changes.without_jumps, given.facts)
        asks = np.where(without.severity != judged.severity, ASKS_WHO, ASKS_NOTHING).astype(np.int8)
        hidden = without.severity > judged.severity
        amount = np.where(hidden, changes.without_jumps, amount)
        judged = Judged(
            np.maximum(without.severity, judged.severity),
            judged.out | without.out,
            judged.clear & without.clear,
            judged.row,
        )
    return _found(given, rule, rows, judged, amount, settled, amounts=amounts, asks=asks)


def _found(
    given: _Evaluation,
    rule: Rule,
    rows: Rows,
    judged: Judged,
    amount: Floats,
    settled: Settled | None,
    *,
    amounts: Amounts | None = None,
    asks: NDArray[np.int8] | None = None,
    repeats: Repeats | None = None,
) -> RuleFindings:
    """The readings that are news, and where patients stand. With `amounts`, each reading is one row of its track."""
    patient, at_us = rows.of_readings(rows.patient), rows.of_readings(rows.at_us)
    news = (judged.severity > 0) & (at_us >= given.since_us)
    if amounts is not None and amounts.only is not None:
        news &= amounts.only
    if repeats is not None:
        news &= ~repeats.waits(judged, given.now_us)
    asked = judged.severity if repeats is None else told(judged.severity, repeats.how)
    fresh = np.flatnonzero(news)
    if settled is not None:
        numbers = given.series.reading_no[rows.rows[rows.starts[fresh]]]
        known = settled.known(numbers) if rule.repeat is None else settled.as_severe(numbers, asked[fresh])
        fresh = fresh[~known]
        if rule.again_after_days:
            answered = settled.just_answered(patient[fresh], at_us[fresh], asked[fresh], days=rule.again_after_days)
            fresh = fresh[~answered if repeats is None else ~answered | repeats.of_reds(fresh)]
    place = judged.row[fresh]
    row = rows.rows[place]
    disturbed = given.series.disturbed[row] & (rule.flagged == "ask")
    asking = (
        np.where(disturbed, ASKS_AGAIN, ASKS_NOTHING) if asks is None else np.where(disturbed, ASKS_AGAIN, asks[fresh])
    )
    if repeats is not None:
        asking = np.where(repeats.how[fresh] == DISPUTED, ASKS_BOTH, asking)
    late = at_us[fresh] < given.now_us - int(rule.late_after_h * US_PER_HOUR)
    stands_patient, stands, stands_at_us = standing(patient, at_us, out=judged.out, clear=judged.clear)
    return RuleFindings(
        rule=rule,
        patient=patient[fresh],
        measured_at_us=at_us[fresh],
        reading_no=given.series.reading_no[row],
        severity=judged.severity[fresh],
        late=late & ~given.series.doubted[row],
        row=row,
        amount=amount[place],
        ask=asking.astype(np.int8),
        stands_patient=stands_patient,
        stands=stands,
        stands_at_us=stands_at_us,
        short=_short(amounts) if amounts is not None else np.zeros(0, np.int64),
        explained=_explained(amounts, place) if amounts is not None else None,
        repeated=None if repeats is None else repeats.found(judged, fresh, given.now_us),
    )


def _short(amounts: Amounts) -> Ints:
    """Patients whose newest row has no amount: not enough data."""
    begins = run_starts(amounts.track.patient)
    newest = np.append(begins[1:], len(amounts.track)) - 1 if len(begins) else begins
    return amounts.track.patient[newest[np.isnan(amounts.amount[newest])]]


def _explained(amounts: Amounts, place: Ints) -> Explained:
    tracks = (amounts.track,) if len(place) else ()
    nothing = np.full(len(place), np.nan)
    base, low, high = (nothing if one is None else one[place] for one in (amounts.base, amounts.low, amounts.high))
    track = np.zeros(len(place), np.int32)
    return Explained(tracks, track, place, amounts.first[place], amounts.count[place], base, low, high)


def _silences(given: _Evaluation, rule: Rule, settled: Settled | None) -> RuleFindings:
    """Of every patient in `facts`, how long no reading of the rule's quantities has come."""
    assert rule.missed is not None
    facts = given.facts
    rows = looked_at(given.series, Look.of(rule), facts, given.rows_of(rule.quantities)[0])
    rows = rows[given.series.measured_at_us[rows] <= given.now_us]
    owners = given.series.patient[rows]
    place = np.searchsorted(owners, facts.patient, side="right") - 1
    has = (
        (place >= 0) & (owners[np.maximum(place, 0)] == facts.patient)
        if len(owners)
        else np.zeros(len(facts), np.bool_)
    )
    row = np.where(has, rows[np.maximum(place, 0)], -1) if len(rows) else np.full(len(facts), -1)
    since = np.where(facts.monitored_since_us == NEVER, np.int64(-1), facts.monitored_since_us)
    last = np.where(has, given.series.measured_at_us[row], since) if len(given.series) else since
    known = last >= 0
    amount = np.where(known, hours_silent(np.maximum(last, since), given.now_us), np.nan)
    if rule.missed.times_schedule:
        amount = np.round(amount / facts.every_h, 6)
    silent = _silent_rows(rule, given, amount)
    judged = judge(rule, given.limits, silent, amount, facts)
    # Who never sent anything has no reading to be told by: then it is the patient's own number, which no reading bears.
    number = np.where(has, given.series.reading_no[row], -facts.patient) if len(given.series) else -facts.patient
    fresh = np.flatnonzero(judged.severity > 0)
    if settled is not None:
        fresh = fresh[~settled.known(number[fresh])]
    stands_patient, stands, stands_at = standing(silent.patient, silent.at_us, out=judged.out, clear=judged.clear)
    return RuleFindings(
        rule=rule,
        patient=facts.patient[fresh],
        measured_at_us=np.full(len(fresh), given.now_us),
        reading_no=number[fresh],
        severity=judged.severity[fresh],
        late=np.zeros(len(fresh), np.bool_),
        row=row[fresh],
        amount=amount[fresh],
        ask=np.zeros(len(fresh), np.int8),
        stands_patient=stands_patient,
        stands=stands,
        stands_at_us=stands_at,
        short=facts.patient[np.isnan(amount)],
    )


def _silent_rows(rule: Rule, given: _Evaluation, amount: Floats) -> Rows:
    """A row per patient, at now: what a silence is judged on."""
    count, patients = len(amount), given.facts.patient
    slot = slot_of(rule.quantities[0], rule.units_of(rule.quantities[0])[0])
    whole = np.arange(count)
    at = np.full(count, given.now_us)
    return Rows(whole, patients, at, whole, slot)


def unruled(patients: Ints, limits: Limits, facts: Facts, *, now: datetime) -> Ints:
    """Who of these is under 18 without a limit of their own: no rule judges what they measure."""
    minor = facts.minor(patients, np.full(len(patients), microseconds(now)))
    with_orders = np.array(sorted(patient for patient, keys in limits.own.items() if keys), np.int64)
    return patients[minor & ~among(with_orders, patients)]
