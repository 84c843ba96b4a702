"""A rules file read and checked: every fault names the file, the line, the rule and the field.

`parse_rules` and `read_rules` refuse a file with any fault. What no single rule can see is looked for here too: two rules of
one name, and bands of two rules that contradict each other.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Final, Self, TypeVar, cast

from pydantic import Field, ValidationError, model_validator

from alerts.model import FieldFault, Strict
from alerts.rules import Rule, Version, Who

#: Faults told of one file at once; a person mends some and asks again.
FAULTS_MAX: Final = 20

Path_ = tuple[str | int, ...]
Whole = TypeVar("Whole", bound=Strict)


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with a file. `line` is that of the field, or of the entry it stands in; 0: unknown."""

    line: int
    text: str


class RulesError(ValueError):
    """A rules file that cannot be used; its text is one line that names the file, the line and the field."""

    def __init__(self, name: str, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        first = faults[0]
        place = f"{name}:{first.line}" if first.line else name
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        super().__init__(f"{place}: {first.text}{more}")


class RulesFile(Strict):
    """A whole file. Who owns and has signed it holds for every rule that does not say otherwise."""

    owner: Who | None = None
    version: Version | None = None
    approved_by: Who | None = None
    approved_on: date | None = None
    rules: Annotated[tuple[Rule, ...], Field(alias="rule", min_length=1)]

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        if (self.approved_by is None) != (self.approved_on is None):
            raise FieldFault("approved_by and approved_on belong together", "approved_by")
        ids = [rule.id for rule in self.rules]
        for place, name in enumerate(ids):
            if name in ids[:place]:
                raise FieldFault(f"rule id given twice: {name}", "rule", place, "id")
        for place, rule in enumerate(self.rules):
            for other in self.rules[:place]:
                _contradiction(other, rule, place)
            _told_by_rules(rule, self.rules[:place], place)
        return self

    @property
    def signed(self) -> tuple[Rule, ...]:
        """The rules, each with who owns and has signed it."""
        own = {"owner": self.owner, "approved_by": self.approved_by, "approved_on": self.approved_on}
        return tuple(
            rule.model_copy(update={name: value for name, value in own.items() if getattr(rule, name) is None})
            for rule in self.rules
        )


def _told_by_rules(rule: Rule, before: Sequence[Rule], place: int) -> None:
    """Who tells what a rule would have told stands above it, and is never milder."""
    known = {other.id: other for other in before}
    for name in rule.told_by:
        other = known.get(name)
        if other is None:
            raise FieldFault(f"told_by: no rule {name!r} stands above it", "rule", place, "told_by")
        if other.bands[-1].severity < rule.bands[0].severity:
            raise FieldFault(f"told_by: {name} may be milder, and would hide it", "rule", place, "told_by")


def _contradiction(one: Rule, other: Rule, place: int) -> None:
    """Two rules over the value itself, one for too high and one for too low, that no value satisfies both of."""
    if one.measure or other.measure or one.downward == other.downward or not _same_readings(one, other):
        return
    high, low = (other, one) if one.downward else (one, other)
    for top in high.bands:
        for bottom in low.bands:
            for name in top.limits.keys() & bottom.limits.keys():
                for unit, limit in bottom.limits[name].values.items():
                    if limit > top.limits[name].values[unit]:
                        words = f"{top.severity.word} of {high.id} and {bottom.severity.word} of {low.id}"
                        band = (top if high is other else bottom).severity
                        at = next(number for number, found in enumerate(other.bands) if found.severity == band)
                        raise FieldFault(f"limits.{name}: {words} overlap in {unit}", "rule", place, "band", at)


def _same_readings(one: Rule, other: Rule) -> bool:
    """Whether some reading of some patient is looked at by both."""
    if {one.pregnancy, other.pregnancy} == {"only", "never"}:
        return False
    return one.meal is None or other.meal is None or bool(one.meal & other.meal)


def parse_rules(text: str, *, name: str = "rules") -> tuple[Rule, ...]:
    """The rules a TOML text holds. RulesError (one line: file, line, rule, field) where it cannot be used."""
    return parse(RulesFile, text, name=name).signed


def read_rules(path: Path) -> tuple[Rule, ...]:
    """The rules of a file. RulesError (one line) where it cannot be read or used."""
    return parse_rules(read_text(path), name=str(path))


def read_text(path: Path) -> str:
    """A file's text. RulesError where it cannot be read."""
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "not UTF-8 text"
        raise RulesError(str(path), [Fault(0, f"cannot be read: {why}")]) from error


def parse(sort: type[Whole], text: str, *, name: str) -> Whole:
    """A TOML text as one of our models. RulesError with every fault and its line."""
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        # A number of thousands of digits, or brackets nested as deep, are no TOML either.
        line = re.search(r"at line (\d+)", str(error))
        raise RulesError(name, [Fault(int(line[1]) if line else 0, f"not TOML: {error}")]) from error
    try:
        return sort.model_validate(document)
    except ValidationError as error:
        raise RulesError(name, faults_of(error, document, text)) from error


def faults_of(error: ValidationError, document: Mapping[str, Any], text: str) -> list[Fault]:
    """What pydantic found, as a person reads it, in the order of the file; FAULTS_MAX at most."""
    lines = list(_entries(text))
    faults: list[Fault] = []
    every = error.errors()
    for found in every:
        path = tuple(found["loc"])
        if any(path != other["loc"] and path == other["loc"][: len(path)] for other in every):
            # A list that is too short only because its entry is wrong.
            continue
        cause = found.get("ctx", {}).get("error")
        if isinstance(cause, FieldFault):
            path += cause.at
        words = f"{', '.join(_named(path, document)) or 'the file'}: {found['msg'].removeprefix('Value error, ')}"
        faults.append(Fault(_line_of(path, lines), words))
    return sorted(faults, key=lambda fault: fault.line)[:FAULTS_MAX]


def one_line(error: ValidationError, document: Mapping[str, Any]) -> str:
    """The first complaint of pydantic as one line: which entry (by its id or name), which field, what is wrong."""
    return faults_of(error, document, "")[0].text


def _named(path: Path_, document: object) -> list[str]:
    """A path as people read it: `rule 'weight_gain_7d', band 'priority', limits`."""
    parts: list[str] = []
    node: object = document
    for part in path:
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
    return parts


_HEADER: Final = re.compile(r"^\s*(\[{1,2})\s*([A-Za-z0-9_.\-]+)\s*\]{1,2}\s*(#.*)?$")
_KEY: Final = re.compile(
    r"""^\s*((?:[A-Za-z0-9_\-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_\-]+|"[^"]*"|'[^']*'))*)\s*="""
)


def _entries(text: str) -> Iterator[tuple[Path_, int]]:
    """Where each table and each key of a TOML text stands: (path, line), as far as tables are written in headers."""
    counts: dict[Path_, int] = {}
    here: Path_ = ()
    for line, content in enumerate(text.splitlines(), start=1):
        header = _HEADER.match(content)
        if header:
            here = ()
            names = header[2].split(".")
            for place, name in enumerate(names):
                here += (name,)
                if place == len(names) - 1 and header[1] == "[[":
                    counts[here] = counts.get(here, -1) + 1
                if here in counts:
                    here += (counts[here],)
            yield here, line
            continue
        key = _KEY.match(content)
        if key:
            yield here + tuple(part.strip().strip("\"'") for part in key[1].split(".")), line


def _line_of(path: Path_, lines: Sequence[tuple[Path_, int]]) -> int:
    """The line of the longest written path that leads to `path`."""
    best, found = -1, 0
    for written, line in lines:
        if len(written) > best and path[: len(written)] == written:
            best, found = len(written), line
    return found
