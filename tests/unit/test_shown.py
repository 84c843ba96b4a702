"""What a page that refreshes itself records. Method: instants and people, and whether there is anything to record."""

from datetime import UTC, datetime, timedelta

from rpm.web.shown import PAGES_MAX, RECORDED_FOR, Shown

NOW = datetime(2026, 6, 10, 14, tzinfo=UTC)


def test_who_was_recorded_is_not_recorded_again_for_a_quarter_of_an_hour() -> None:
    shown = Shown()
    assert shown.is_news("s", "fleet", {1, 2}, now=NOW), "a page that was never opened is recorded"
    shown.keep("s", "fleet", {1, 2}, now=NOW)
    assert not shown.is_news("s", "fleet", {2}, now=NOW + RECORDED_FOR - timedelta(seconds=1))
    assert shown.is_news("s", "fleet", {2}, now=NOW + RECORDED_FOR)


def test_somebody_new_another_page_and_another_session_are_recorded() -> None:
    shown = Shown()
    shown.keep("s", "fleet", {1, 2}, now=NOW)
    assert shown.is_news("s", "fleet", {1, 3}, now=NOW)
    assert shown.is_news("s", "gw-home-a", {1}, now=NOW)
    assert shown.is_news("other", "fleet", {1}, now=NOW)


def test_it_does_not_grow_without_end() -> None:
    shown = Shown()
    for number in range(PAGES_MAX + 1):
        shown.keep(f"s{number}", "fleet", (), now=NOW)
    assert shown.is_news("s0", "fleet", (), now=NOW), "the oldest is recorded once more"
    assert not shown.is_news("s1", "fleet", (), now=NOW)
