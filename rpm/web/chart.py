"""A patient's values as charts: aligned columns in one unit, with the limits they are judged by. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from alerts.layers import Effective, LayerKind
from alerts.limits import Limits
from alerts.rules import Comparison, Rule
from rpm.store.charts import Point
from rpm.web.clocks import clocks
from rpm.web.formats import number
from schemas.codes import BY_NAME, UNIT_BY_NUMBER, UNIT_LABEL
from schemas.quantity import converted

#: Spans a nurse may choose, in days.
SPANS: Final = (7, 30, 90, 365)
DEFAULT_SPAN: Final = 30

_WORDS: Final = {Comparison.ABOVE: "above", Comparison.AT_LEAST: "from", Comparison.BELOW: "below"}


@dataclass(frozen=True, slots=True)
class Vital:
    """One chart: what stands in it together."""

    key: str
    title: str
    quantities: tuple[str, ...]


VITALS: Final = (
    Vital("blood_pressure", "Blood pressure", ("systolic", "diastolic")),
    Vital("body_weight", "Weight", ("body_weight",)),
    Vital("glucose", "Glucose", ("glucose",)),
    Vital("pulse_rate", "Pulse", ("pulse_rate",)),
    Vital("oxygen_saturation", "Oxygen saturation", ("oxygen_saturation",)),
    Vital("body_temperature", "Temperature", ("body_temperature",)),
)
CODES: Final = tuple(BY_NAME[name].number for vital in VITALS for name in vital.quantities)


@dataclass(frozen=True, slots=True)
class LimitLine:
    """A limit drawn across a chart."""

    label: str
    quantity: str
    severity: str
    value: float


@dataclass(frozen=True, slots=True)
class Chart:
    """One vital over time. `x` are Unix seconds, ascending; each series has a value or None for each x.

    `quality` are the bits of `observation.quality`; `mixed` tells that some values were converted to `unit` to be drawn.
    """

    vital: Vital
    unit: str
    x: tuple[float, ...]
    series: tuple[tuple[str, tuple[float | None, ...]], ...]
    quality: tuple[int, ...]
    #: For each x its readings (mostly one): name, and the line that tells its clocks.
    origins: tuple[tuple[tuple[UUID, str], ...], ...]
    limits: tuple[LimitLine, ...]
    notes: tuple[str, ...]
    mixed: bool

    @property
    def summary(self) -> str:
        """What a person who does not see the chart is told."""
        if not self.x:
            return f"{self.vital.title}: no readings in this span."
        spans = [
            f"{label} from {min(known):g} to {max(known):g}, last {known[-1]:g}"
            for label, values in self.series
            if (known := [value for value in values if value is not None])
        ]
        return f"{self.vital.title} in {self.unit}: {len(self.x)} readings; {'; '.join(spans)}."

    def as_json(self) -> dict[str, Any]:
        """For the page's script."""
        return {
            "key": self.vital.key,
            "title": self.vital.title,
            "unit": self.unit,
            "x": self.x,
            "series": [{"label": label, "values": values} for label, values in self.series],
            "quality": self.quality,
            "origins": [[[str(name), words] for name, words in origin] for origin in self.origins],
            "limits": [
                {"label": one.label, "quantity": one.quantity, "severity": one.severity, "value": one.value}
                for one in self.limits
            ],
            "notes": self.notes,
            "summary": self.summary,
            "mixed": self.mixed,
        }


#: Told where a patient is under 18 and a vital has no limit of their own.
UNRULED_NOTE: Final = "no rules apply: under 18, and no limits were ordered"


def charts(
    points: Sequence[Point], rules: Sequence[Rule], limits: Limits, *, patient_id: int, zone: str, minor: bool = False
) -> list[Chart]:
    """A chart for each vital the patient measures, in the order of VITALS. `points` are in order of time; `zone` is theirs.

    `minor`: under 18, of whom no limit for adults is drawn or told, only what was ordered for them.
    """
    given = _Given(rules, limits, patient_id, minor)
    found = (_chart(vital, points, given, zone=zone) for vital in VITALS)
    return [chart for chart in found if chart is not None]


@dataclass(frozen=True, slots=True)
class _Given:
    """What a patient is judged by."""

    rules: Sequence[Rule]
    limits: Limits
    patient_id: int
    minor: bool


def _chart(vital: Vital, points: Sequence[Point], given: _Given, *, zone: str) -> Chart | None:
    codes = {BY_NAME[name].number: name for name in vital.quantities}
    mine = [point for point in points if point.code in codes]
    if not mine:
        return None
    # The unit the device uses now: a nurse compares with its display.
    unit = UNIT_BY_NUMBER[mine[-1].unit]
    instants = sorted({point.measured_at for point in mine})
    place = {instant: index for index, instant in enumerate(instants)}
    columns: dict[str, list[float | None]] = {name: [None] * len(instants) for name in vital.quantities}
    quality = [0] * len(instants)
    origins: list[dict[UUID, str]] = [{} for _ in instants]
    for point in mine:
        index = place[point.measured_at]
        drawn = converted(point.value, UNIT_BY_NUMBER[point.unit], unit)
        columns[codes[point.code]][index] = round(drawn, 3)
        quality[index] |= point.quality
        if point.reading_id not in origins[index]:
            origins[index][point.reading_id] = clocks(point, zone)
    return Chart(
        vital=vital,
        unit=UNIT_LABEL[unit],
        x=tuple(instant.timestamp() for instant in instants),
        series=tuple((BY_NAME[name].label, tuple(values)) for name, values in columns.items()),
        quality=tuple(quality),
        origins=tuple(tuple(origin.items()) for origin in origins),
        limits=tuple(_lines(vital, unit, given)),
        notes=tuple(_notes(vital, unit, given)),
        mixed=any(UNIT_BY_NUMBER[point.unit] != unit for point in mine),
    )


def _lines(vital: Vital, unit: str, given: _Given) -> Iterable[LimitLine]:
    """The limits of threshold rules that speak of this vital; of two rules with one limit, the first's."""
    drawn: set[tuple[str, float]] = set()
    for rule, severity, quantity, comparison, held in _limits(vital, unit, given):
        if rule.of_every_value and (quantity, held.value) not in drawn:
            drawn.add((quantity, held.value))
            whose = held.words.replace(" limit", "")
            label = f"{quantity} {_WORDS[comparison]} {_short(held.value, quantity, unit)}{whose}"
            yield LimitLine(label, BY_NAME[quantity].label, severity, held.value)


def _notes(vital: Vital, unit: str, given: _Given) -> Iterable[str]:
    """Limits that are no line: a gain is counted from where one was. Of somebody under 18 without orders, that nothing holds."""
    if given.minor and not any(True for _ in _limits(vital, unit, given)):
        yield UNRULED_NOTE
    for rule, severity, quantity, _, held in _limits(vital, unit, given):
        if rule.reference is not None:
            yield f"{rule.title}: {severity} above {_short(held.value, quantity, unit)} {UNIT_LABEL[unit]}{held.words}"


def _limits(vital: Vital, unit: str, given: _Given) -> Iterable[tuple[Rule, str, str, Comparison, Effective]]:
    for rule in given.rules:
        own_only = given.minor and rule.ages == "adults"
        for band in rule.bands:
            for quantity in vital.quantities:
                if quantity not in rule.quantities or unit not in rule.units_of(quantity):
                    continue
                held = given.limits.effective(rule, band.severity, quantity, unit, patient=given.patient_id)
                if quantity not in band.limits or held is None or (own_only and held.layer is not LayerKind.PATIENT):
                    continue
                yield rule, band.severity.word, quantity, band.limits[quantity].comparison, held


def _short(value: float, quantity: str, unit: str) -> str:
    decimals = BY_NAME[quantity].decimals[unit]
    text = number(value, max(decimals, 2))
    return text.rstrip("0").rstrip(".") if "." in text else text
