"""On call: who is told, the hours nobody covers, who stands in, a plan played through, and a plan changed by who may."""

from datetime import timedelta

import httpx
import pytest

from alerts.escalation import read_plan
from rpm.settings import CARE
from rpm.store import plans
from rpm.store.database import Database
from tests.support.clinic import Clinic
from tests.support.clock import SettableClock
from tests.support.visitor import Visitor
from tests.support.website import Website

#: The clinic's clock stands at a Wednesday's morning (tests/support/clock.py).
TEXT = """fallback = ["role:admin"]
[[policy]]
severity = "urgent"
step = [{ after_min = 0, targets = ["rota:days"] }, { after_min = 15, targets = ["staff:admin"] }]
[[rota]]
name = "days"
time_zone = "America/New_York"
shift = [{ days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], from = "00:00", to = "24:00", who = ["staff:rosa"] }]
"""
OPEN_WEEKENDS = TEXT.replace(', "sat", "sun"', "")
#: Four weekend days within a fortnight.
WEEKENDS_MIN = 4 * 24 * 60


@pytest.fixture
def admin(website: Website) -> Visitor:
    return Visitor(website).sign_in("admin")


def change(admin: Visitor, text: str, *, do: str = "save", **fields: str) -> httpx.Response:
    admin.page("/oncall/plan")
    given = {"note": "agreed on Monday", "seen": "0", **fields}
    return admin.post("/oncall/plan", text=text, do=do, **given)


def kept(database: Database, clinic: Clinic) -> list[str]:
    with database.transaction() as connection:
        return [saved.text for saved in plans.history(connection, clinic.practice_id, limit=9)]


def test_who_is_called_now_and_the_plan_in_words(admin: Visitor) -> None:
    page = admin.page("/oncall")
    for said in ("The installation’s", "every nurse", "Kim L.", "None: somebody can be reached", "Rota nurses"):
        assert said in page, said


def test_a_plan_is_checked_saved_and_in_force(admin: Visitor, database: Database, clinic: Clinic) -> None:
    answer = change(admin, TEXT, do="check")
    assert answer.status_code == httpx.codes.OK
    assert "None: with this plan" in answer.text
    assert kept(database, clinic) == []
    assert change(admin, TEXT.replace("\n", "\r\n")).status_code == httpx.codes.SEE_OTHER
    assert kept(database, clinic) == [TEXT]
    page = admin.page("/oncall")
    assert "The practice’s own." in page
    assert "Rosa N." in page
    assert "agreed on Monday" in admin.page("/oncall/plan")


def test_a_mistake_is_one_line_and_nothing_is_lost(admin: Visitor, database: Database, clinic: Clinic) -> None:
    answer = change(admin, TEXT.replace("rota:days", "rota:nights"))
    assert answer.status_code == httpx.codes.BAD_REQUEST
    assert "there is no rota &#39;nights&#39;" in answer.text, answer.text[answer.text.index("problem") :][:200]
    assert "agreed on Monday" in answer.text, "what was typed is still there"
    unknown = change(admin, TEXT.replace("staff:rosa", "staff:roza"))
    assert unknown.status_code == httpx.codes.BAD_REQUEST
    assert "No such account in this practice: roza" in unknown.text
    assert change(admin, TEXT, note=" ").status_code == httpx.codes.BAD_REQUEST
    assert kept(database, clinic) == []


def test_hours_without_anybody_are_saved_only_by_who_has_seen_them(
    admin: Visitor, database: Database, clinic: Clinic
) -> None:
    """E3: and seen means these very hours, not those of an earlier draft."""
    refused = change(admin, OPEN_WEEKENDS)
    assert refused.status_code == httpx.codes.BAD_REQUEST
    assert f"I have seen that {WEEKENDS_MIN} minutes have nobody" in refused.text
    assert change(admin, OPEN_WEEKENDS, uncovered_minutes="1440").status_code == httpx.codes.BAD_REQUEST
    assert kept(database, clinic) == []
    assert change(admin, OPEN_WEEKENDS, uncovered_minutes=str(WEEKENDS_MIN)).status_code == httpx.codes.SEE_OTHER
    assert "nobody is on duty by rota:days" in admin.page("/oncall")


def test_two_administrators_do_not_overwrite_each_other(admin: Visitor, database: Database, clinic: Clinic) -> None:
    assert change(admin, TEXT).status_code == httpx.codes.SEE_OTHER
    late = change(admin, OPEN_WEEKENDS, uncovered_minutes=str(WEEKENDS_MIN))
    assert late.status_code == httpx.codes.BAD_REQUEST
    assert "Somebody saved another plan meanwhile" in late.text
    assert kept(database, clinic) == [TEXT]


def test_ten_past_two_on_sunday(admin: Visitor, rosa: Visitor) -> None:
    change(admin, TEXT)
    page = rosa.page("/oncall?at=2026-06-14T02:10&severity=urgent")
    assert "Sun 14 Jun 2026, 02:10 EDT" in page
    assert page.index("step 1 of the urgent policy: rota:days") < page.index("step 2 of the urgent policy: staff:admin")
    assert "It calls nobody, and waits on the list." in rosa.page("/oncall?severity=routine")
    gone = rosa.get("/oncall?at=2026-03-08T02:30&severity=urgent")
    assert (gone.status_code, "in spring an hour is left out" in gone.text) == (httpx.codes.BAD_REQUEST, True)


def test_a_nurse_stands_in_for_another(
    admin: Visitor, rosa: Visitor, database: Database, clinic: Clinic, clock: SettableClock
) -> None:
    change(admin, TEXT)
    ids = {one["username"]: str(one["id"]) for one in people(database)}
    begins, ends = (f"{(clock() + timedelta(hours=hours)):%Y-%m-%dT%H:%M}" for hours in (-30, 30))
    fields = {"rota": "days", "begins": begins, "ends": ends, "reason": "a swap"}
    assert rosa.post("/oncall/stand-ins", who=ids["kim"], instead_of=ids["rosa"], **fields).status_code == (
        httpx.codes.SEE_OTHER
    )
    page = rosa.page("/oncall")
    first_told = page[page.index("Called now") : page.index("Hours without anybody")]
    assert "Kim L." in first_told
    assert "Rosa N." not in first_told
    stranger = Clinic(database, now=clock(), name="Other Clinic").staff("olga")
    for wrong, said in (
        ({"who": str(stranger), "instead_of": ""}, "There is no such person"),
        ({"who": ids["kim"], "instead_of": ids["kim"]}, "Nobody stands in for himself"),
        ({"who": "", "instead_of": ""}, "Say who is on duty"),
        ({"who": ids["kim"], "rota": "nights"}, "There is no such rota"),
        ({"who": ids["kim"], "ends": begins}, "The end must be later"),
        ({"who": ids["kim"], "begins": "2026-01-01T00:00", "ends": "2026-01-02T00:00"}, "That is over already"),
        ({"who": ids["kim"], "ends": "2027-06-01T00:00"}, "At most 60 days"),
        ({"who": ids["kim"], "reason": " "}, "Say why"),
    ):
        answer = rosa.post("/oncall/stand-ins", **{**fields, **wrong})
        assert answer.status_code == httpx.codes.BAD_REQUEST, wrong
        assert said in answer.text, wrong
    with database.transaction() as connection:
        [number] = [
            one.id for one in plans.stand_ins(connection, [clinic.practice_id], since=clock())[clinic.practice_id]
        ]
    assert rosa.post(f"/oncall/stand-ins/{number}/withdraw").status_code == httpx.codes.SEE_OTHER
    assert rosa.post(f"/oncall/stand-ins/{number}/withdraw").status_code == httpx.codes.NOT_FOUND
    assert "Nobody: the rotas stand as they are." in rosa.page("/oncall")


def test_who_did_what_is_on_record(admin: Visitor, database: Database) -> None:
    change(admin, TEXT)
    with database.transaction() as connection:
        rows = connection.execute("select action from audit order by id desc limit 1").fetchall()
    assert [row["action"] for row in rows] == ["saved the plan of who is called"]


def people(database: Database) -> list[dict[str, str]]:
    with database.transaction() as connection:
        return connection.execute("select id, username from staff").fetchall()


def test_the_plan_shipped_is_what_a_practice_begins_with(admin: Visitor) -> None:
    page = admin.page("/oncall/plan")
    assert "repeat_every_min = 15" in page
    assert read_plan(CARE / "escalation.toml").policies[0].repeat_every_min == 15
