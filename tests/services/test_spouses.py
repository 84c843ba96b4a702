"""A2 from the bytes on the air to the patient: two spouses, one cuff, one scale, and whose each measurement becomes.

Method: whole peripherals over the virtual radio, the gateway's own watch and outbox, its messages as the uplink renders them,
the real ingest in a real database; its receipts settle the outbox. What the devices say of the user is all anybody knows.
"""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
import pytest_asyncio

from devices.virtual.device_clock import ClockMode
from devices.virtual.make import Identity
from devices.virtual.peripherals import BloodPressureCuff, WeightScale
from gateway.outbox import Outbox
from gateway.uplink.batches import render
from rpm.ingest.batch import settle
from rpm.ingest.reasons import Reason
from rpm.ingest.receipts import receipts
from rpm.ingest.unpack import Message
from rpm.store.database import Database
from rpm.store.devices import register_device
from schemas.codes import BY_NAME, Kind
from schemas.messages import Channel, topic
from tests.radio.household import Household, household, now
from tests.radio.listening import Listening, listening
from tests.services.settling import GATEWAY, count_of, rows_of, two_homes
from tests.support.clinic import Clinic, Person

CUFF = Identity("C0:00:00:00:32:01", "BP-100", "Northlight", "BP-100", "SN-1")
SCALE = Identity("C0:00:00:00:32:02", "WS-100", "Northlight", "WS-100", "SN-2")
#: What a device says where it does not know who it was (GSS, User ID).
UNKNOWN = 0xFF
HERS, HIS, NOBODYS = 1, 2, 3
_CODES = [BY_NAME["systolic"].number, BY_NAME["body_weight"].number]


@dataclass
class Spouses:
    """Maria and Tom, at home and on paper."""

    database: Database
    clinic: Clinic
    maria: Person
    tom: Person

    def give(self, device: Identity, kind: Kind, uses: Sequence[tuple[int | None, Person]]) -> None:
        """The device is theirs since long ago: (user slot, whose). One use without a slot: that person's alone."""
        with self.database.transaction() as connection:
            device_id = register_device(
                connection,
                practice_id=self.clinic.practice_id,
                address=device.address,
                kind=kind,
                label="theirs",
                single_person=all(slot is None for slot, _ in uses),
                now=now(),
            )
            for slot, person in uses:
                connection.execute(
                    "insert into device_assignment (practice_id, device_id, user_slot, patient_id, during)"
                    " values (%s, %s, %s, %s, tstzrange('2026-01-06', null))",
                    [person.practice_id, device_id, slot, person.id],
                )

    def records(self) -> dict[int, dict[UUID, float]]:
        """By patient, what is in the record: the reading's name and its first value."""
        found: dict[int, dict[UUID, float]] = {self.maria.id: {}, self.tom.id: {}}
        for row in rows_of(
            self.database,
            "select reading.patient_id, reading_id, value, observation.patient_id as of_whom from reading"
            " join observation using (reading_no) where observation.code = any (%s)",
            _CODES,
        ):
            assert row["patient_id"] == row["of_whom"]
            found[row["patient_id"]][row["reading_id"]] = row["value"]
        return found

    def held(self) -> dict[UUID, str]:
        """What waits for a person to say whose it is, each with its reason."""
        rows = rows_of(self.database, "select reading_id, reason from held where why = 'unassigned'")
        return {row["reading_id"]: row["reason"] for row in rows}


@pytest_asyncio.fixture
async def home(tmp_path: Path) -> AsyncGenerator[Household]:
    async with household(tmp_path) as made:
        yield made


@pytest.fixture
def spouses(database: Database) -> Spouses:
    clinic = two_homes(database)
    maria, tom = (clinic.patient(given, "Alvarez", measures=False) for given in ("Maria", "Tom"))
    return Spouses(database, clinic, maria, tom)


def travel(outbox: Outbox, database: Database) -> None:
    """All that is due goes up, is settled in the database, and is receipted."""
    while due := outbox.due(now=now(), limit=100):
        outbox.mark_sent([(row.seq, now() + timedelta(seconds=5)) for row in due], now=now())
        payload = render(due, gateway_id=GATEWAY, epoch=outbox.epoch)
        settlements = settle(database, [Message(topic(GATEWAY, Channel.READINGS), payload)], now=now())
        assert sum(outbox.settle(receipt, now=now()) for receipt in receipts(settlements)) == len(due)


def names_of(gateway: Listening, quantity: str) -> dict[float, UUID]:
    """How the gateway calls each reading, by its value. Asked before they travel: what is receipted is due no more."""
    return {reading.quantities[quantity].value or 0.0: reading.reading_id for reading in gateway.readings}


async def test_each_spouses_squeeze_is_in_their_own_record_and_an_unknown_users_in_nobodys(
    home: Household, spouses: Spouses
) -> None:
    spouses.give(CUFF, Kind.BLOOD_PRESSURE, [(HERS, spouses.maria), (HIS, spouses.tom)])
    cuff = await home.add(BloodPressureCuff, identity=CUFF)
    said = {121: HERS, 151: HIS, 122: HERS, 152: HIS, 131: UNKNOWN, 132: None, 133: NOBODYS}
    for systolic, slot in said.items():
        cuff.measure(systolic, 80, user_slot=slot)
    async with listening(home, cuff) as gateway:
        await gateway.until_kept(len(said))
        told = {reading.quantities["systolic"].value: reading.user_slot for reading in gateway.readings}
        assert told == said, "the gateway passes on what the cuff said, and guesses nothing"
        names = names_of(gateway, "systolic")
        assert len(set(names.values())) == len(said)
        travel(gateway.outbox, spouses.database)
        assert spouses.records() == {
            spouses.maria.id: {names[121]: 121, names[122]: 122},
            spouses.tom.id: {names[151]: 151, names[152]: 152},
        }
        assert spouses.held() == {
            names[131]: Reason.USER_UNKNOWN,
            names[132]: Reason.USER_UNKNOWN,
            names[133]: Reason.NOBODY_ASSIGNED,
        }
        assert rows_of(spouses.database, "select 1 from held where patient_id is not null") == []
        assert gateway.outbox.stats(now=now()).depth == 0, "all were receipted, what is held as well"


async def test_each_spouses_step_is_in_their_own_record(home: Household, spouses: Spouses) -> None:
    spouses.give(SCALE, Kind.BODY_WEIGHT, [(HERS, spouses.maria), (HIS, spouses.tom)])
    scale = await home.add(WeightScale, identity=SCALE)
    said = {72.5: HERS, 90.5: HIS, 80.5: UNKNOWN, 81.5: None}
    for kg, slot in said.items():
        scale.weigh(kg=kg, user_slot=slot)
    async with listening(home, scale, kind=Kind.BODY_WEIGHT) as gateway:
        await gateway.until_kept(len(said))
        names = names_of(gateway, "body_weight")
        travel(gateway.outbox, spouses.database)
        assert spouses.records() == {spouses.maria.id: {names[72.5]: 72.5}, spouses.tom.id: {names[90.5]: 90.5}}
        assert spouses.held() == dict.fromkeys((names[80.5], names[81.5]), Reason.USER_UNKNOWN)


@pytest.mark.parametrize("slot", [None, UNKNOWN])
async def test_a_cuff_of_one_person_that_does_not_say_who_is_that_persons(
    home: Household, spouses: Spouses, slot: int | None
) -> None:
    """… and where it names a user, it is not only that person's after all."""
    spouses.give(CUFF, Kind.BLOOD_PRESSURE, [(None, spouses.tom)])
    cuff = await home.add(BloodPressureCuff, identity=CUFF)
    cuff.measure(151, 80, user_slot=slot)
    cuff.measure(121, 80, user_slot=HERS)
    async with listening(home, cuff) as gateway:
        await gateway.until_kept(2)
        names = names_of(gateway, "systolic")
        travel(gateway.outbox, spouses.database)
        assert spouses.records() == {spouses.maria.id: {}, spouses.tom.id: {names[151]: 151}}
        assert spouses.held() == {names[121]: Reason.NOBODY_ASSIGNED}
        assert count_of(spouses.database, "reading") == 1


async def test_two_measurements_of_the_same_bytes_but_for_who_are_two(home: Household, spouses: Spouses) -> None:
    """120/80 from a cuff without a clock, hers and his: neither takes the other's place."""
    spouses.give(CUFF, Kind.BLOOD_PRESSURE, [(HERS, spouses.maria), (HIS, spouses.tom)])
    cuff = await home.add(BloodPressureCuff, identity=CUFF, clock=ClockMode.NONE)
    for slot in (HERS, HIS):
        cuff.measure(120, 80, user_slot=slot)
    async with listening(home, cuff) as gateway:
        await gateway.until_kept(2)
        named = {reading.user_slot: reading.reading_id for reading in gateway.readings}
        travel(gateway.outbox, spouses.database)
        assert spouses.records() == {spouses.maria.id: {named[HERS]: 120}, spouses.tom.id: {named[HIS]: 120}}
