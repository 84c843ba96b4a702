"""People are relied upon by contacts they have proven, and are called by the next where one cannot be reached (F59, F60)."""

import re
from datetime import timedelta

import httpx
import pytest

from alerts.channels import Answer, Name
from alerts.escalation import parse_plan
from rpm.jobs import contacts as asking
from rpm.jobs.evaluate import Judgement
from rpm.jobs.send import ATTEMPTS_MAX
from rpm.store import contacts
from rpm.store.contacts import CODE_LASTS, CODE_TRIES_MAX, LINK_LASTS
from rpm.store.database import Database
from schemas.codes import Kind
from tests.services.judging import BASE_URL, RULES, Desk, Outbox
from tests.services.test_escalate import crisis, staff_id
from tests.support.clinic import Person
from tests.support.clock import MORNING, SettableClock
from tests.support.leaks import leaked
from tests.support.visitor import Visitor
from tests.support.website import Website

MAIL, PHONE = "nora@clinic.example", "+15550100100"
POLICY = """
[[policy]]
severity = "{severity}"
step = [{{ after_min = 0, targets = ["role:nurse"] }}]
"""


@pytest.fixture
def desk(database: Database) -> Desk:
    desk = Desk(database, now=MORNING)
    desk.clinic.staff("nora", "nurse")
    desk.clinic.staff("ada", "admin")
    return desk


def add(desk: Desk, channel: Name, address: str, who: str = "nora", *, proven: bool = True) -> int:
    with desk.database.transaction() as connection:
        made = contacts.add(
            connection,
            practice_id=desk.clinic.practice_id,
            staff_id=staff_id(desk, who),
            channel=channel,
            address=address,
            now=desk.now,
        )
        assert made is not None
        if proven:
            contacts.verify(connection, made, now=desk.now)
    return made


def ask(desk: Desk) -> int:
    return asking.run_once(desk.database, now=desk.now, channels=desk.channels, base_url=BASE_URL).done


def unproven(desk: Desk, who: str) -> None:
    desk.rows("update contact set verified_at = null where staff_id = %(id)s returning id", id=staff_id(desk, who))


def test_whom_one_way_cannot_reach_the_next_does(desk: Desk) -> None:
    """A provider accepts nothing: the next channel, and only then the next person."""
    add(desk, Name.SMS, PHONE)
    mail, texts = Outbox(answer=Answer(False, "busy")), Outbox()
    desk.channels = {**desk.channels, Name.EMAIL: mail, Name.SMS: texts}
    crisis(desk)
    for _ in range(ATTEMPTS_MAX + 1):
        desk.call()
        desk.forward(seconds=81)
    assert mail.addresses == [MAIL] * ATTEMPTS_MAX
    assert texts.addresses == [PHONE]
    texts.answer = Answer(False, "no credit")
    assert [row["channel"] for row in desk.rows("select channel from notification order by id")] == ["email", "sms"]
    [alert] = desk.alerts()
    assert alert["next_step_at"] > desk.now, "who was reached has the full time to answer"


def test_a_text_is_one_short_line_without_a_word_of_the_patient(desk: Desk) -> None:
    add(desk, Name.SMS, PHONE)
    desk.rows("update contact set position = 0 where channel = 'sms' returning id")
    crisis(desk)
    desk.call()
    [(address, subject, body)] = desk.outbox.sent
    assert (address, subject) == (PHONE, "")
    # No digits to answer with: by this way no answer comes back.
    assert re.fullmatch(r"Urgent alert [0-9a-f]{8}, call 1\. https://clinic\.example/a/[\w-]{22}", body)
    assert len(body) <= 160
    assert leaked(body, "Maria", "Alvarez", "192", "118", "pressure", "systolic") == []


def test_who_has_proven_no_contact_is_told_and_not_relied_upon(desk: Desk) -> None:
    unproven(desk, "nora")
    crisis(desk)
    desk.call()
    # Nora all the same, the fallback with her, and the next step at once.
    assert desk.outbox.addresses == [MAIL, "ada@clinic.example", "ada@clinic.example"]
    [first, *_] = desk.rows("select reason from alert_event where kind = 'called' order by id")
    assert first["reason"].endswith("nobody whose contact was proven, fallback role:admin")


def test_a_contact_is_asked_answers_and_counts_for_a_month(desk: Desk, clock: SettableClock) -> None:
    unproven(desk, "nora")
    assert ask(desk) == 1
    assert ask(desk) == 0, "not again within two days"
    [(address, subject, body)] = desk.outbox.sent
    assert (address, subject) == (MAIL, "Maple Street Clinic: do calls about alerts reach you here?")
    found = re.search(r"https://clinic\.example(/c/[\w-]{22})", body)
    assert found
    assert leaked(body, "Nora", "nora") == []
    with Website(desk.database, clock) as website:
        visitor = Visitor(website)
        # A program that looks at mail opens links, too: that proves nothing.
        assert visitor.get(found.group(1)).status_code == httpx.codes.OK
        assert desk.rows("select verified_at from contact where address = %(a)s", a=MAIL) == [{"verified_at": None}]
        assert visitor.post(found.group(1)).status_code == httpx.codes.OK
        assert visitor.post(found.group(1)).status_code == httpx.codes.NOT_FOUND, "a link is good once"
    assert desk.rows("select verified_at from contact where address = %(a)s", a=MAIL) == [{"verified_at": MORNING}]
    desk.forward(days=27)
    assert ask(desk) == 0
    desk.forward(days=1)
    assert ask(desk) == 1, "and again every month"
    crisis(desk)
    desk.call()
    assert desk.outbox.addresses[-1:] == [MAIL], "who is asked counts for another week"


def test_a_link_ends_after_a_week(desk: Desk, clock: SettableClock) -> None:
    unproven(desk, "nora")
    ask(desk)
    link = desk.outbox.sent[0][2].split("https://clinic.example")[1].split()[0]
    clock.set(MORNING + LINK_LASTS + timedelta(minutes=1))
    with Website(desk.database, clock) as website:
        assert Visitor(website).post(link).status_code == httpx.codes.NOT_FOUND
    assert desk.rows("select verified_at from contact where address = %(a)s", a=MAIL) == [{"verified_at": None}]


def test_a_spoken_code_is_typed_within_the_hour_and_guessed_by_nobody(desk: Desk, clock: SettableClock) -> None:
    number = add(desk, Name.VOICE, PHONE, proven=False)
    assert ask(desk) == 1
    spoken = desk.outbox.sent[0][2]
    digits = re.search(r"Your code is ((?:\d, ){5}\d)\.", spoken)
    assert digits
    code = digits.group(1).replace(", ", "")
    wrong = f"{(int(code) + 1) % 10**6:06d}"
    with Website(desk.database, clock) as website:
        nora = Visitor(website).sign_in("nora")
        path = f"/me/contacts/{number}/code"
        for _ in range(CODE_TRIES_MAX):
            assert nora.post(path, code=wrong).status_code == httpx.codes.BAD_REQUEST
        assert nora.post(path, code=code).status_code == httpx.codes.BAD_REQUEST, "five tries, and no more"
        assert nora.post(f"/me/contacts/{number}/ask").status_code == httpx.codes.SEE_OTHER
        ask(desk)
        again = re.search(r"Your code is ((?:\d, ){5}\d)\.", desk.outbox.sent[-1][2])
        assert again
        code = again.group(1).replace(", ", "")
        assert Visitor(website).sign_in("ada").post(path, code=code).status_code == httpx.codes.BAD_REQUEST
        assert Visitor(website).post(f"/c/{code}").status_code == httpx.codes.NOT_FOUND, "a code is no link"
    nora_id, last = staff_id(desk, "nora"), MORNING + CODE_LASTS
    with desk.database.transaction() as connection:
        late = last + timedelta(seconds=1)
        assert not contacts.type_code(connection, number, code, staff_id=nora_id, now=late)
        assert contacts.type_code(connection, number, code, staff_id=nora_id, now=last)


def test_my_contacts(desk: Desk, clock: SettableClock) -> None:
    with Website(desk.database, clock) as website:
        nora, ada = Visitor(website).sign_in("nora"), Visitor(website).sign_in("ada")
        for channel, address in (("sms", "12"), ("email", "nora"), ("voice", "0049 30 1234"), ("push", "a b")):
            assert nora.post("/me/contacts", channel=channel, address=address).status_code == httpx.codes.BAD_REQUEST
        assert (
            nora.post("/me/contacts", channel="sms", address="+1 (555) 010-0100").status_code == httpx.codes.SEE_OTHER
        )
        assert nora.post("/me/contacts", channel="sms", address=PHONE).status_code == httpx.codes.BAD_REQUEST
        page = nora.page("/me/contacts")
        assert PHONE in page
        assert "not yet" in page
        assert PHONE not in ada.page("/me/contacts")
        [row] = desk.rows("select id from contact where address = %(a)s", a=PHONE)
        for what in ("remove", "first", "ask"):
            assert ada.post(f"/me/contacts/{row['id']}/{what}").status_code == httpx.codes.NOT_FOUND
        assert nora.post(f"/me/contacts/{row['id']}/first").status_code == httpx.codes.SEE_OTHER
        page = nora.page("/me/contacts")
        assert page.index(PHONE) < page.index(MAIL)
        assert nora.post(f"/me/contacts/{row['id']}/remove").status_code == httpx.codes.SEE_OTHER
        assert PHONE not in nora.page("/me/contacts")


def test_i_have_it_without_a_log_in(desk: Desk, clock: SettableClock) -> None:
    """F62: opening the link changes nothing, the button does; once; and nothing of the patient is on the page."""
    alert_id = crisis(desk)
    desk.call()
    link = desk.outbox.sent[0][2].split("without a log-in: https://clinic.example")[1].split()[0]
    with Website(desk.database, clock) as website:
        visitor = Visitor(website)
        page = visitor.get(link)
        assert page.status_code == httpx.codes.OK
        assert leaked(page.text, "Maria", "Alvarez", "192", "118", "pressure", "systolic") == []
        assert desk.alerts()[0]["status"] == "open"
        done = visitor.post(link)
        assert "You have it." in done.text
        again = visitor.post(link)
        assert (again.status_code, "You have it already, since 10:00 EDT" in again.text) == (httpx.codes.CONFLICT, True)
        assert visitor.post("/a/guessed").status_code == httpx.codes.NOT_FOUND
    [alert] = desk.alerts()
    assert (alert["status"], alert["acknowledged_by"]) == ("acknowledged", staff_id(desk, "nora"))
    assert desk.events(alert_id)[-1] == "acknowledged"
    assert desk.rows("select action, detail from audit order by id desc limit 1") == [
        {"action": "acknowledged an alert", "detail": {"alert": alert_id, "by": "link"}}
    ]
    desk.forward(days=1)
    desk.call()
    assert len(desk.outbox.sent) == 1


@pytest.mark.parametrize(
    "what, said",
    [
        ("update staff set active = false where username = 'nora' returning id", "switched off"),
        ("update alert set status = 'closed' returning id", "closed already"),
        ("update notification set created_at = created_at - interval '25 hours' returning id", "more than a day old"),
    ],
)
def test_a_link_that_answers_nothing_says_why(desk: Desk, clock: SettableClock, what: str, said: str) -> None:
    crisis(desk)
    desk.call()
    link = desk.outbox.sent[0][2].split("without a log-in: https://clinic.example")[1].split()[0]
    desk.rows(what)
    with Website(desk.database, clock) as website:
        for answer in (Visitor(website).get(link), Visitor(website).post(link)):
            assert (answer.status_code, said in answer.text) == (httpx.codes.CONFLICT, True)
    assert desk.rows("select from alert_event where kind = 'acknowledged'") == []


def low(desk: Desk, mg_dl: float, person: Person | None = None) -> Person:
    """A glucose, judged: an orange, and the red it becomes."""
    person = person or desk.clinic.patient("Maria", "Alvarez")
    desk.clinic.measure(person, Kind.GLUCOSE, {"glucose": (mg_dl, "mg/dL")}, at=desk.now)
    desk.judge()
    return person


def link_of(body: str) -> str:
    return body.split("without a log-in: https://clinic.example")[1].split(maxsplit=1)[0]


def shown(page: httpx.Response) -> str:
    """What the page's button would send along."""
    found = re.search(r'name="told" value="(\d+)"', page.text)
    assert found is not None
    return found[1]


def test_a_link_knows_that_its_alert_has_become_worse(desk: Desk, clock: SettableClock) -> None:
    """E7: a message told of an orange; its link does not take the red that it has become, before the page has said so."""
    person = low(desk, 65)
    desk.call()
    [(_, subject, body)] = desk.outbox.sent
    assert subject.startswith("Priority alert")
    link = link_of(body)
    with Website(desk.database, clock) as website:
        visitor = Visitor(website)
        before = shown(visitor.get(link))
        desk.forward(minutes=5)
        low(desk, 50, person)
        # A page opened before links knew, the same opened before it became worse, and the link as the message bears it.
        for sent in ({}, {"told": before}):
            refused = visitor.post(link, **sent)
            assert refused.status_code == httpx.codes.CONFLICT
            assert "has become worse since this message: it was priority, and is urgent now" in refused.text
            assert "<button" in refused.text
            assert desk.alerts()[0]["status"] == "open", "nobody has taken a red unawares"
        page = visitor.get(link)
        assert page.status_code == httpx.codes.OK
        assert "Urgent alert" in page.text
        assert "has become worse since this message" in page.text
        assert leaked(page.text, "Maria", "Alvarez", "65", "50 mg", "glucose") == []
        assert "You have it." in visitor.post(link, told=shown(page)).text
    [alert] = desk.alerts()
    assert (alert["status"], alert["acknowledged_by"]) == ("acknowledged", staff_id(desk, "nora"))
    desk.call()
    assert len(desk.outbox.sent) == 1, "what it became calls nobody any more"


def test_a_link_of_an_alert_that_was_forgotten_says_that_it_calls_again(desk: Desk, clock: SettableClock) -> None:
    crisis(desk)
    desk.call()
    link = link_of(desk.outbox.sent[0][2])
    desk.rows("update alert set armed = armed + 1 returning id")
    with Website(desk.database, clock) as website:
        visitor = Visitor(website)
        page = visitor.get(link)
        assert "It has called again since this message, and nobody has it." in page.text
        assert visitor.post(link).status_code == httpx.codes.CONFLICT
        assert "You have it." in visitor.post(link, told=shown(page)).text


def test_what_becomes_worse_and_calls_nobody_is_not_taken_by_an_old_link(desk: Desk, clock: SettableClock) -> None:
    """A plan may call for an orange and leave the red to the list: the red is another thing than the message told of."""
    desk.judgement = Judgement(RULES, parse_plan('fallback = ["role:admin"]\n' + POLICY.format(severity="priority")))
    desk.plan = desk.judgement.plan
    person = low(desk, 65)
    desk.call()
    link = link_of(desk.outbox.sent[0][2])
    low(desk, 50, person)
    assert desk.alerts()[0]["next_step_at"] is None
    with Website(desk.database, clock) as website:
        assert "has become worse" in Visitor(website).post(link).text
    assert desk.alerts()[0]["status"] == "open"


def test_what_an_orange_could_not_reach_is_told_the_red_as_well(desk: Desk) -> None:
    """Her texts fail: the next way brings what became of it, not only what it was."""
    add(desk, Name.SMS, PHONE)
    desk.rows("update contact set position = 0 where channel = 'sms' returning id")
    mail = Outbox()
    desk.channels = {**desk.channels, Name.SMS: Outbox(answer=Answer(False, "busy")), Name.EMAIL: mail}
    person = low(desk, 65)
    desk.call()
    desk.forward(seconds=2)
    low(desk, 50, person)
    for _ in range(120):
        desk.call()
        desk.forward(seconds=1)
    told = [subject.split(" alert")[0] for address, subject, _ in mail.sent if address == MAIL]
    assert sorted(told) == ["Priority", "Urgent"]
