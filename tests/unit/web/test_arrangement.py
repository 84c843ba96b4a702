"""Whatever a nurse filters by, no urgent alert is out of sight, and what is hidden is counted (H7)."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from rpm.store.worklist import OpenAlert, Subject
from rpm.web.arrangement import PAGE_ROWS, URGENT, Filter, Tab, Who, arrange, tab_of

NOW = datetime(2026, 6, 10, 14, tzinfo=UTC)
ME, KIM = 1, 2


def alert(
    number: int,
    severity: int,
    *,
    kind: str = "clinical",
    owner: int | None = None,
    timer: int | None = None,
    name: str = "Ann Lee",
) -> OpenAlert:
    given_name, family_name = name.split()
    subject = Subject(number, UUID(int=number), given_name, family_name, date(1955, 4, 2), "America/New_York")
    return OpenAlert(
        alert_id=number,
        public_id=UUID(int=number),
        subject=subject,
        kind=kind,
        rule_id="glucose_low",
        severity=severity,
        armed=1,
        status="acknowledged" if owner else "open",
        confirmed=True,
        late=False,
        reason="Glucose 48 mg/dL",
        evidence={},
        measured_at=NOW,
        opened_at=NOW - timedelta(minutes=number),
        back_in_range_at=None,
        acknowledged_at=NOW if owner else None,
        snoozed_until=None,
        snooze_reason=None,
        away_until=None,
        owner_id=owner,
        owner_name="Kim" if owner else None,
        timer_staff_id=timer,
        timer_name="Kim" if timer else None,
        timer_started_at=NOW if timer else None,
    )


people = st.sampled_from([None, ME, KIM])
alerts = st.lists(
    st.builds(
        alert,
        st.integers(1, 9),
        st.sampled_from([1, 2, URGENT]),
        kind=st.sampled_from(["clinical", "review", "verify", "technical"]),
        owner=people,
        timer=people,
        name=st.sampled_from(["Ann Lee", "Tom Weiss", "Åsa Öberg"]),
    ),
    max_size=30,
).map(lambda many: [replace(one, alert_id=number) for number, one in enumerate(many)])
filters = st.builds(
    Filter,
    tab=st.sampled_from(Tab),
    who=st.sampled_from(Who),
    text=st.sampled_from(["", "lee", "TOM", "öberg", "48", "nobody of that name"]),
    page=st.integers(1, 5),
)


@given(alerts, filters)
def test_no_filter_hides_an_urgent_alert(many: list[OpenAlert], wanted: Filter) -> None:
    shown = arrange(many, wanted, staff_id=ME)
    assert {one.alert_id for one in shown.pinned} == {one.alert_id for one in many if one.severity == URGENT}


@given(alerts, filters)
def test_what_a_filter_hides_is_counted(many: list[OpenAlert], wanted: Filter) -> None:
    shown = arrange(many, wanted, staff_id=ME)
    others = [one for one in many if one.severity != URGENT and tab_of(one) is wanted.tab]
    assert shown.matching + shown.hidden == len(others)
    assert sum(shown.by_severity.values()) == shown.total == len(many)
    assert sum(shown.in_tab.values()) == len(many)


@given(alerts, filters)
def test_what_nobody_has_stands_first_within_its_severity(many: list[OpenAlert], wanted: Filter) -> None:
    shown = arrange(many, wanted, staff_id=ME)
    for part in (shown.pinned, shown.rows):
        order = [(-one.severity, one.owner_id is not None or one.timer_staff_id is not None) for one in part]
        assert order == sorted(order)
    assert shown.urgent_free == sum(one.owner_id is None and one.timer_staff_id is None for one in shown.pinned)


def test_pages_show_every_row_once_and_urgent_ones_always() -> None:
    many = [alert(0, URGENT), *(alert(number, 1) for number in range(1, 2 * PAGE_ROWS + 4))]
    pages = [arrange(many, Filter(page=page), staff_id=ME) for page in (1, 2, 3)]
    assert [len(page.rows) for page in pages] == [PAGE_ROWS, PAGE_ROWS, 3]
    assert {page.pages for page in pages} == {3}
    assert [len(page.pinned) for page in pages] == [1, 1, 1]
    assert len({one.alert_id for page in pages for one in page.rows}) == 2 * PAGE_ROWS + 3
    assert arrange(many, Filter(page=99), staff_id=ME).page == 3


def test_mine_and_nobodys() -> None:
    many = [alert(1, 2, owner=ME), alert(2, 2, owner=KIM), alert(3, 2), alert(4, 2, timer=ME), alert(5, 2, timer=KIM)]
    mine = arrange(many, Filter(who=Who.MINE), staff_id=ME)
    free = arrange(many, Filter(who=Who.FREE), staff_id=ME)
    assert [one.alert_id for one in mine.rows] == [1, 4]
    assert [one.alert_id for one in free.rows] == [3]
    assert mine.hidden == 3
    assert free.hidden == 4
