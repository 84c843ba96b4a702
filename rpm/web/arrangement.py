"""Which rows of the worklist are shown, in which order, and how many a filter hides. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from rpm.store.worklist import OpenAlert

URGENT: Final = 3
#: Rows on one page beside the urgent ones, which are on every page.
PAGE_ROWS: Final = 120


class Tab(StrEnum):
    """The two lists: what is wrong with a person, and what is wrong with the equipment."""

    CLINICAL = "clinical"
    TECHNICAL = "technical"


class Who(StrEnum):
    """Whose alerts are wanted."""

    ALL = "all"
    FREE = "free"
    MINE = "mine"


@dataclass(frozen=True, slots=True)
class Filter:
    """What a nurse asked to see. Urgent alerts are shown whatever is asked."""

    tab: Tab = Tab.CLINICAL
    who: Who = Who.ALL
    text: str = ""
    page: int = 1


@dataclass(frozen=True, slots=True)
class Arrangement:
    """`pinned` are all urgent alerts of the practice; `rows` the page of others that the filter lets through.

    `hidden` counts the alerts of this tab that the filter keeps back (never an urgent one); `pages` counts pages.
    """

    pinned: tuple[OpenAlert, ...]
    rows: tuple[OpenAlert, ...]
    hidden: int
    page: int
    pages: int
    matching: int
    in_tab: dict[Tab, int]
    by_severity: dict[int, int]
    urgent_free: int

    @property
    def total(self) -> int:
        """All open alerts."""
        return sum(self.by_severity.values())


def tab_of(alert: OpenAlert) -> Tab:
    """The list an alert belongs to."""
    return Tab.TECHNICAL if alert.kind == "technical" else Tab.CLINICAL


def taken(alert: OpenAlert) -> bool:
    """Whether somebody has it, or is with the patient."""
    return alert.owner_id is not None or alert.timer_staff_id is not None


def matches(alert: OpenAlert, wanted: Filter, *, staff_id: int) -> bool:
    """Whether the filter lets an alert through (its tab aside)."""
    if wanted.who is Who.FREE and taken(alert):
        return False
    if wanted.who is Who.MINE and staff_id not in (alert.owner_id, alert.timer_staff_id):
        return False
    text = wanted.text.strip().casefold()
    name = alert.subject.name if alert.subject else ""
    return text in f"{name} {alert.reason}".casefold()


def arrange(alerts: Sequence[OpenAlert], wanted: Filter, *, staff_id: int) -> Arrangement:
    """Put `alerts`, in the order of `rpm.web.placing`, before a nurse.

    Whatever that order: the more severe stand first, and those nobody has before those somebody has. No filter, tab or page ever hides an urgent one (H7).
    """
    alerts = sorted(alerts, key=lambda alert: (-alert.severity, taken(alert)))
    pinned = tuple(alert for alert in alerts if alert.severity == URGENT)
    others = [alert for alert in alerts if alert.severity != URGENT]
    in_tab = [alert for alert in others if tab_of(alert) is wanted.tab]
    matching = [alert for alert in in_tab if matches(alert, wanted, staff_id=staff_id)]
    pages = max(1, -(-len(matching) // PAGE_ROWS))
    page = min(max(1, wanted.page), pages)
    return Arrangement(
        pinned=pinned,
        rows=tuple(matching[(page - 1) * PAGE_ROWS : page * PAGE_ROWS]),
        hidden=len(in_tab) - len(matching),
        page=page,
        pages=pages,
        matching=len(matching),
        in_tab={tab: sum(tab_of(alert) is tab for alert in alerts) for tab in Tab},
        by_severity={severity: sum(alert.severity == severity for alert in alerts) for severity in (3, 2, 1)},
        urgent_free=sum(not taken(alert) for alert in pinned),
    )
