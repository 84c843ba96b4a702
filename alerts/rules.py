"""Rules as a clinician wrote them: TOML in, frozen rules out.

A rule is ONE condition with bands, so that orange turning red worsens one alert instead of opening a second. Every limit
is written natively for each unit a device may use, because guideline pairs are rounded (180 mg/dL | 10.0 mmol/L) and a
converted limit fires where the guideline does not.

    [[rule]]
    id = "weight_gain_24h"
    version = "1"
    title = "Weight gain in a day"
    source = "clinical table, heart failure"
    sentence = "Weight up {gain} in {span}: {before} → {after}; limit {limit}"
    gain_since = { take = "newest", from_h = 18, to_h = 36 }
    clear_by = { kg = 0.1, "[lb_av]" = 0.2 }

    [[rule.band]]
    severity = "priority"
    limits.body_weight.above = { kg = 1.36, "[lb_av]" = 3 }
"""

import string
import tomllib
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from alerts.severity import Severity
from schemas.codes import BY_NAME

#: A value older than this when it is judged is late: it becomes a review item and never pages (T5).
LATE_AFTER_H: Final = 4.0

#: What a sentence may speak of, by the sort of rule.
THRESHOLD_FIELDS: Final = frozenset({"values", "limit", "sessions"})
GAIN_FIELDS: Final = frozenset({"gain", "span", "before", "after", "limit"})

PerUnit = dict[str, Annotated[float, Field(allow_inf_nan=False)]]
Hours = Annotated[float, Field(gt=0, le=24 * 60)]


class RulesError(ValueError):
    """A rules file that cannot be used; its text is one line that names the file and the field."""


class Comparison(StrEnum):
    """When a value breaches its limit."""

    ABOVE = "above"
    AT_LEAST = "at_least"
    BELOW = "below"


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Limit(_Model):
    """One comparison, with the limit written for each unit a device may send."""

    above: PerUnit | None = None
    at_least: PerUnit | None = None
    below: PerUnit | None = None

    @model_validator(mode="after")
    def _one_comparison(self) -> Self:
        if sum(given is not None for given in (self.above, self.at_least, self.below)) != 1:
            raise ValueError("give exactly one of above, at_least, below")
        return self

    @property
    def comparison(self) -> Comparison:
        """The one comparison given."""
        return next(found for found in Comparison if getattr(self, found) is not None)

    @property
    def values(self) -> PerUnit:
        """UCUM unit → limit in that unit."""
        values: PerUnit = getattr(self, self.comparison)
        return values


class Sessions(_Model):
    """The band holds only when enough of the last sessions breach it: `breaching` of `of_last`, the newest among them.

    Readings less than `apart_min` after the one before belong to one session; a session breaches when any of its
    readings does. Sessions older than `within_h` do not count.
    """

    breaching: Annotated[int, Field(ge=2, le=10)]
    of_last: Annotated[int, Field(ge=2, le=10)]
    apart_min: Annotated[float, Field(gt=0, le=24 * 60)]
    within_h: Hours

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.breaching > self.of_last:
            raise ValueError("breaching cannot exceed of_last")
        return self


class Band(_Model):
    """What one severity asks of which quantities: it holds when any of its limits is breached."""

    severity: Annotated[Severity, BeforeValidator(lambda word: Severity.of(str(word)))]
    limits: Annotated[dict[str, Limit], Field(min_length=1)]
    sessions: Sessions | None = None


class Reference(_Model):
    """The earlier value a gain is measured from: the newest or oldest taken `from_h` to `to_h` before."""

    take: Literal["newest", "oldest"]
    from_h: Hours
    to_h: Hours

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.from_h >= self.to_h:
            raise ValueError("from_h must be less than to_h")
        return self


class Rule(_Model):
    """One condition. `clear_by` is its hysteresis: back in range means inside every limit by at least this much."""

    id: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{2,40}$")]
    version: Annotated[str, StringConstraints(min_length=1, max_length=20)]
    title: Annotated[str, StringConstraints(min_length=1, max_length=60)]
    source: Annotated[str, StringConstraints(min_length=1)]
    sentence: str
    bands: Annotated[tuple[Band, ...], Field(alias="band", min_length=1, max_length=3)]
    clear_by: PerUnit
    gain_since: Reference | None = None
    late_after_h: Hours = LATE_AFTER_H

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        severities = [band.severity for band in self.bands]
        if severities != sorted(set(severities), reverse=True):
            raise ValueError("bands go from the most to the least severe, each severity once")
        for band in self.bands:
            for name, limit in band.limits.items():
                self._check_limit(f"{band.severity.word} limits.{name}", name, limit)
        for severe, mild in zip(self.bands, self.bands[1:], strict=False):
            self._check_order(severe, mild)
        fields = GAIN_FIELDS if self.gain_since else THRESHOLD_FIELDS
        for _, field, _, _ in string.Formatter().parse(self.sentence):
            if field is not None and field not in fields:
                raise ValueError(f"sentence: {{{field}}} is not one of {', '.join(sorted(fields))}")
        return self

    def _check_limit(self, where: str, name: str, limit: Limit) -> None:
        code = BY_NAME.get(name)
        if code is None or not code.vital:
            raise ValueError(f"{where}: no quantity called {name!r} is judged")
        if set(limit.values) != set(code.units):
            raise ValueError(f"{where}: write the limit for each of {', '.join(code.units)}, and no other unit")
        if not set(code.units) <= set(self.clear_by):
            raise ValueError(f"clear_by: write it for each of {', '.join(code.units)}")
        if (limit.comparison is Comparison.BELOW) != self.downward:
            raise ValueError(f"{where}: all limits of a rule look the same way, up or down")
        if self.gain_since and (self.downward or name != "body_weight"):
            raise ValueError(f"{where}: a gain is a body_weight above or at_least its limit")

    def _check_order(self, severe: Band, mild: Band) -> None:
        sign = -1 if self.downward else 1
        for name in severe.limits.keys() & mild.limits.keys():
            for unit, value in severe.limits[name].values.items():
                if sign * value < sign * mild.limits[name].values[unit]:
                    raise ValueError(
                        f"{severe.severity.word} limits.{name}: milder than {mild.severity.word} in {unit}"
                    )

    @property
    def downward(self) -> bool:
        """True where low values breach."""
        return next(iter(self.bands[0].limits.values())).comparison is Comparison.BELOW

    @property
    def quantities(self) -> tuple[str, ...]:
        """The names of the quantities this rule looks at, in the order of the code table."""
        named = {name for band in self.bands for name in band.limits}
        return tuple(name for name in BY_NAME if name in named)

    def band(self, severity: Severity) -> Band | None:
        """The band of that severity, if the rule has one."""
        return next((band for band in self.bands if band.severity == severity), None)

    @property
    def lookback_h(self) -> float:
        """How far before a value this rule looks."""
        spans = [band.sessions.within_h for band in self.bands if band.sessions]
        return max([*spans, self.gain_since.to_h if self.gain_since else 0.0])


class _RulesFile(_Model):
    rules: Annotated[tuple[Rule, ...], Field(alias="rule", min_length=1)]

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        ids = [rule.id for rule in self.rules]
        twice = sorted({name for name in ids if ids.count(name) > 1})
        if twice:
            raise ValueError(f"rule id given twice: {', '.join(twice)}")
        return self


def one_line(error: ValidationError, document: object) -> str:
    """The first complaint of pydantic as one line: which entry (by its id or name), which field, what is wrong."""
    first = error.errors()[0]
    parts: list[str] = []
    node: object = document
    for part in first["loc"]:
        try:
            node = cast("Any", node)[part]
        except (KeyError, IndexError, TypeError):
            node = None
        if isinstance(part, int):
            entry = cast("dict[str, Any]", node if isinstance(node, dict) else {})
            name: Any = next((entry[key] for key in ("id", "name", "severity") if key in entry), part + 1)
            parts[-1:] = [f"{parts[-1]} {name!r}"] if parts else [f"number {part + 1}"]
        else:
            parts.append(part)
    return f"{', '.join(parts) or 'the file'}: {first['msg'].removeprefix('Value error, ')}"


def parse_rules(text: str, *, name: str = "rules") -> tuple[Rule, ...]:
    """The rules a TOML text holds. RulesError (one line: file, rule, field or line) where it cannot be used."""
    try:
        document = tomllib.loads(text)
        return _RulesFile.model_validate(document).rules
    except tomllib.TOMLDecodeError as error:
        raise RulesError(f"{name}: not TOML: {error}") from error
    except ValidationError as error:
        raise RulesError(f"{name}: {one_line(error, tomllib.loads(text))}") from error


def read_rules(path: Path) -> tuple[Rule, ...]:
    """The rules of a file. RulesError (one line) where it cannot be read or used."""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RulesError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or 'not UTF-8 text'}") from error
    return parse_rules(text, name=str(path))
