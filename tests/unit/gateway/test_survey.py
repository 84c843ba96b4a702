"""What a scan makes of what it heard. Pure: advertisements in, one entry for each device out."""

from dataclasses import replace
from typing import Any

import pytest
from bleak.backends.device import BLEDevice

from devices.catalogue import CATALOGUE, Standing
from gateway.enrolment import Enrolment
from gateway.radio import Heard, _flags
from gateway.settings import Device
from gateway.survey import FOUND_MAX, Pairing, Survey, not_heard, pairing
from schemas.codes import Kind

CUFF, SCALE, PHONE = "C0:00:00:00:10:01", "C0:00:00:00:10:02", "4A:00:00:00:00:01"
ENROLLED = Device(address=CUFF, kind=Kind.BLOOD_PRESSURE, label="cuff in the kitchen")


def heard(address: str, **facts: Any) -> Heard:
    return replace(Heard(address, BLEDevice(address, None, None), -60), **facts)


def survey(*advertisements: Heard, devices: tuple[Device, ...] = (ENROLLED,)) -> Survey:
    made = Survey(Enrolment(devices))
    for each in advertisements:
        made.hear(each)
    return made


def test_name_and_services_of_two_advertisements_are_one_device() -> None:
    """An active scan brings the name in the scan response."""
    (found,) = survey(
        heard(SCALE, services=frozenset({"181D"}), flags=0x05), heard(SCALE, name="A&D_UC-352BLE", rssi_dbm=-50)
    ).found()
    assert (found.name, found.kinds, found.rssi_dbm, found.pairing) == (
        "A&D_UC-352BLE",
        (Kind.BODY_WEIGHT,),
        -50,
        Pairing.YES,
    )
    assert found.verdict.row is not None
    assert found.verdict.row.remark in found.advice


@pytest.mark.parametrize(
    "services, kinds",
    [
        ({"1810"}, (Kind.BLOOD_PRESSURE,)),
        ({"181D", "181B", "180F"}, (Kind.BODY_WEIGHT,)),
        ({"1808"}, (Kind.GLUCOSE,)),
        ({"1822"}, (Kind.OXYGEN_SATURATION,)),
        ({"1809"}, (Kind.BODY_TEMPERATURE,)),
        ({"1809", "1810"}, (Kind.BLOOD_PRESSURE, Kind.BODY_TEMPERATURE)),
        ({"180F", "FE4A"}, ()),
    ],
)
def test_the_kind_is_guessed_from_the_services_it_names(services: set[str], kinds: tuple[Kind, ...]) -> None:
    (found,) = survey(heard(SCALE, services=frozenset(services))).found()
    assert found.kinds == tuple(sorted(kinds))


def test_this_homes_first_then_what_can_be_read_then_the_rest_the_strongest_first() -> None:
    addresses = [f"C0:00:00:00:20:0{number}" for number in range(4)]
    order = survey(
        heard(PHONE, rssi_dbm=-30),
        heard(addresses[0], services=frozenset({"1808"}), rssi_dbm=-80),
        heard(addresses[1], services=frozenset({"1808"}), rssi_dbm=-40),
        heard(addresses[2], services=frozenset({"FE4A"}), rssi_dbm=-35),
        heard(CUFF, rssi_dbm=-90),
    ).found()
    assert [each.address for each in order] == [CUFF, addresses[1], addresses[0], addresses[2], PHONE]
    assert [each.verdict.standing for each in order[2:]] == [Standing.READ, Standing.UNSUPPORTED, Standing.UNKNOWN]
    assert [each.matters for each in order] == [True, True, True, True, False]


def test_every_model_of_the_catalogue_is_named_with_what_is_known_of_it() -> None:
    for row in CATALOGUE:
        for name in row.names:
            (found,) = survey(heard(SCALE, name=name + " 1")).found()
            assert found.verdict.row is not None, name
            assert found.verdict.row.remark in found.advice


def test_a_vendors_own_protocol_is_told_as_of_no_use() -> None:
    (found,) = survey(heard(SCALE, services=frozenset({"FE4A"}))).found()
    assert found.advice.startswith("cannot be read: speaks its vendor's own protocol: ")


def test_an_unknown_model_with_a_standard_service_is_read_by_the_book() -> None:
    (found,) = survey(heard(SCALE, services=frozenset({"1810"}))).found()
    assert found.advice == "can be read; no known model, read by the book"


@pytest.mark.parametrize(
    "flags, told",
    [(None, Pairing.UNKNOWN), (0x05, Pairing.YES), (0x06, Pairing.PERHAPS), (0x04, Pairing.NO), (0x07, Pairing.YES)],
)
def test_whether_it_would_pair_is_what_its_flags_say(flags: int | None, told: Pairing) -> None:
    assert pairing(flags) is told


@pytest.mark.parametrize(
    "platform, flags",
    [
        (("/org/bluez/hci0/dev_C0", {"AdvertisingFlags": bytes([5])}), 5),
        (("/org/bluez/hci0/dev_C0", {"AdvertisingFlags": b""}), None),
        (("/org/bluez/hci0/dev_C0", {"RSSI": -60}), None),
        ((), None),
    ],
)
def test_flags_are_read_where_bluez_puts_them(platform: tuple[Any, ...], flags: int | None) -> None:
    assert _flags(platform) == flags


def test_a_house_full_of_phones_does_not_grow_without_end_nor_hide_the_cuff() -> None:
    crowd = [heard(f"4A:00:00:00:{number >> 8:02X}:{number & 255:02X}") for number in range(FOUND_MAX + 50)]
    made = survey(heard(CUFF), *crowd[:100], heard(CUFF), *crowd[100:])
    assert len(made.found()) == FOUND_MAX
    assert made.found()[0].address == CUFF


def test_devices_of_this_home_that_were_not_heard_are_named() -> None:
    scale = ENROLLED.model_copy(update={"address": SCALE, "label": "scale"})
    found = survey(heard(CUFF), devices=(ENROLLED, scale)).found()
    assert not_heard((ENROLLED, scale), found) == [scale]


def test_an_address_is_found_however_it_is_typed() -> None:
    made = survey(replace(heard(CUFF), name="x"))
    assert made.find(CUFF.lower()) is not None
    assert made.find(SCALE) is None
