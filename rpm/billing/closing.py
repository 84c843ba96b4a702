"""A month that is closed: frozen as it was reported, and what would be otherwise in it by what is known later. Pure.

A closed month is never counted anew. Data that come late, a reading set aside or given to somebody else, minutes written down
afterwards: each makes an adjustment, a claim before and after, for people to act upon.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any, Final

from pydantic import TypeAdapter

from rpm.billing.episode import Episode
from rpm.billing.export import as_csv, as_json
from rpm.billing.report import MonthReport, ReportRow
from rpm.billing.rules import FAMILY, Family

_REPORT: Final = TypeAdapter(MonthReport)


@dataclass(frozen=True, slots=True)
class Frozen:
    """A month as it was handed out, as bytes: for this program to read again, for a spreadsheet, for another program."""

    report: bytes
    csv: bytes
    json: bytes

    @property
    def sha256(self) -> bytes:
        """The hash of all three, each behind its length: none can pass for a part of another."""
        digest = hashlib.sha256()
        for part in (self.report, self.csv, self.json):
            digest.update(len(part).to_bytes(8))
            digest.update(part)
        return digest.digest()


def freeze(report: MonthReport) -> Frozen:
    """A report as it is kept."""
    return Frozen(
        _REPORT.dump_json(report),
        as_csv(report).encode(),
        json.dumps(as_json(report), indent=2, ensure_ascii=False).encode(),
    )


def thaw(report: bytes) -> MonthReport:
    """A frozen report to be shown as pages show one; ValueError where this program reads it no more (the CSV still is)."""
    return _REPORT.validate_json(report)


@dataclass(frozen=True, slots=True)
class Claim:
    """What one episode claims in a month: `99454x1 on 2026-11-08`, the days and minutes it rests on."""

    codes: tuple[str, ...] = ()
    days: tuple[str, ...] = ()
    minutes: int = 0
    live_contact: bool = False

    @classmethod
    def of(cls, row: ReportRow) -> "Claim":
        """A row's claim."""
        days: set[date] = set()
        for item in row.codes:
            if FAMILY[item.code] in (Family.SUPPLY, Family.SET_UP):
                days.update(item.days)
        managed = row.management
        return cls(
            tuple(sorted(f"{item.code}x{item.units} on {item.service_date}" for item in row.codes)),
            tuple(str(day) for day in sorted(days)),
            managed.minutes if managed else 0,
            managed.live_contact if managed else False,
        )

    @classmethod
    def read(cls, fields: dict[str, Any]) -> "Claim":
        """The claim that `plain` wrote."""
        return cls(tuple(fields["codes"]), tuple(fields["days"]), fields["minutes"], fields["live_contact"])

    @property
    def plain(self) -> dict[str, Any]:
        """As JSON's own values."""
        return asdict(self)

    @property
    def words(self) -> str:
        """For people and spreadsheets."""
        codes = "; ".join(self.codes) or "no code"
        return (
            f"{codes} ({len(self.days)} days, {self.minutes} minutes{'' if self.live_contact else ', no live contact'})"
        )


@dataclass(frozen=True, slots=True)
class Difference:
    """One episode whose claim is not what it was."""

    episode: Episode
    before: Claim
    after: Claim

    @property
    def changes_codes(self) -> bool:
        """Whether the codes themselves differ, or only what they rest on."""
        return self.before.codes != self.after.codes


def differences(frozen: MonthReport, known: MonthReport, noticed: dict[int, Claim]) -> Iterator[Difference]:
    """What `known` says otherwise than the closed month and its adjustments so far (the last, by episode) say."""
    then = {row.episode.episode_id: row for row in frozen.rows}
    now = {row.episode.episode_id: row for row in known.rows}
    for episode_id in sorted(then.keys() | now.keys()):
        row = now.get(episode_id) or then[episode_id]
        first = Claim.of(then[episode_id]) if episode_id in then else Claim()
        before = noticed.get(episode_id, first)
        after = Claim.of(now[episode_id]) if episode_id in now else Claim()
        if before != after:
            yield Difference(row.episode, before, after)
