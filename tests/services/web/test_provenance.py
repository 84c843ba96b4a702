"""From a reading's page to the bytes it came in, in one click, and to nobody else's (F39)."""

from datetime import timedelta

from rpm.ingest.batch import settle
from rpm.ingest.unpack import Message
from schemas.codes import Kind
from tests.support.clinic import Clinic, Person
from tests.support.clock import SettableClock
from tests.support.readings import batch, pressure
from tests.support.visitor import Visitor


def test_the_page_shows_its_own_item_of_the_message_and_says_whether_the_bytes_are_whole(
    clinic: Clinic, rosa: Visitor, maria: Person, clock: SettableClock
) -> None:
    jose = clinic.patient("José", "Alvarez")
    now = clock()
    hers = pressure(131, 82, now - timedelta(minutes=2), address=maria.devices[Kind.BLOOD_PRESSURE][1])
    his = pressure(177, 99, now - timedelta(minutes=1), address=jose.devices[Kind.BLOOD_PRESSURE][1])
    settle(clinic.database, [Message(*batch(clinic.gateway_id, hers, his))], now=now)
    page = f"/patients/{maria.public_id}/readings/{hers.reading_id}"
    html = rosa.page(page)
    assert "What was received" in html
    assert "the bytes are those that were hashed" in html
    assert str(his.reading_id) not in html
    assert "&#34;value&#34;: 131" in html
    with clinic.database.transaction() as connection:
        connection.execute("update message set payload = payload || ' '::bytea")
    assert "the bytes are not those that were hashed" in rosa.page(page)
    with clinic.database.transaction() as connection:
        connection.execute("delete from message")
    assert "no longer kept" in rosa.page(page)


def test_a_reading_from_before_messages_were_kept_says_so(clinic: Clinic, rosa: Visitor, maria: Person) -> None:
    reading = clinic.pressure(maria, 131, 82)
    assert "before messages were kept" in rosa.page(f"/patients/{maria.public_id}/readings/{reading}")
