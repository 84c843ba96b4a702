"""The practice: the same for the same seed, plausible to a clinician, and covering every tier of the monthly bill.

Plausible means the accept band of the product's limits (systolic 80-220, diastolic 40-130, pulse 40-150, glucose 20-600
mg/dL, weight 22.7-340.2 kg without a change of 2.5 kg in a day) for everything that is not named an oddity.
"""

import hashlib
import itertools
import json
from collections import Counter, defaultdict
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from devices.assemble import Assembled, Frame, assemble
from devices.virtual import practice_cast
from devices.virtual.practice import practice, to_json
from schemas.quantity import KG_PER_LB, MG_DL_PER_MMOL_L

UNTIL = date(2026, 11, 22)
PRACTICE = ZoneInfo("America/New_York")
ACCEPTED = {
    "systolic": (80, 220),
    "diastolic": (40, 130),
    "mean_arterial": (50, 160),
    "pulse_rate": (40, 150),
    "body_weight": (22.7, 340.2),
    "glucose": (54, 300),
}
DAY_CHANGE_KG_MAX = 2.5


@pytest.fixture(scope="module")
def made() -> dict[str, Any]:
    return practice(seed=7, patients=12, days=60, until=UNTIL)


def instant(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    assert moment.tzinfo is not None
    return moment


def in_common_unit(quantity: dict[str, Any]) -> float:
    factor = {"[lb_av]": KG_PER_LB, "mmol/L": MG_DL_PER_MMOL_L}.get(quantity["unit"], 1.0)
    return quantity["value"] * factor


def test_the_same_seed_and_date_give_the_same_file(made: dict[str, Any]) -> None:
    text = to_json(made)
    assert json.loads(text) == made
    again = to_json(practice(seed=7, patients=12, days=60, until=UNTIL))
    assert hashlib.sha256(again.encode()).digest() == hashlib.sha256(text.encode()).digest()
    assert to_json(practice(seed=8, patients=12, days=60, until=UNTIL)) != text


def test_a_file_tells_of_the_days_before_its_date(made: dict[str, Any]) -> None:
    end = datetime.combine(UNTIL, datetime.min.time(), PRACTICE) + timedelta(hours=3)  # midnight in Los Angeles
    begin = end - timedelta(days=60, hours=4)
    assert all(begin < instant(r["measured_at"]) < instant(r["received_at"]) < end for r in made["readings"])
    taken = [instant(reading["measured_at"]) for reading in made["readings"]]
    assert taken == sorted(taken)
    assert all(instant(row["started_at"]) + timedelta(seconds=row["seconds"]) < end for row in made["care_time"])


def test_every_reading_is_what_its_frame_says(made: dict[str, Any]) -> None:
    for reading in made["readings"]:
        received = instant(reading["received_at"])
        frames = [Frame(reading["characteristic"], bytes.fromhex(reading["raw"]), received)]
        if reading["raw_context"] is not None:
            frames.append(Frame("2A34", bytes.fromhex(reading["raw_context"]), received))
        (entry,) = assemble(frames)
        assert isinstance(entry, Assembled)
        measured = entry.measurement
        assert measured.kind == reading["kind"]
        assert (measured.device_time, measured.sequence_number) == (reading["device_time"], reading["sequence_number"])
        assert (measured.user_slot, list(measured.status)) == (reading["user_slot"], reading["status"])
        assert measured.context == reading["context"]
        for name, quantity in measured.quantities.items():
            assert quantity.value == reading["quantities"][name]["value"]
            assert quantity.unit == reading["quantities"][name]["unit"]


def test_the_devices_clock_and_its_offset_give_the_true_time(made: dict[str, Any]) -> None:
    zones = {patient["key"]: ZoneInfo(patient["time_zone"]) for patient in made["patients"]}
    offsets = Counter(reading["clock_offset_s"] for reading in made["readings"])
    assert set(offsets) == {0, 2220}, "one meter's clock is 37 minutes slow"
    for reading in made["readings"]:
        zone = zones[reading["patient"] or "p02"]
        shown = datetime.fromisoformat(reading["device_time"]) + timedelta(seconds=reading["clock_offset_s"])
        truth = instant(reading["measured_at"]).astimezone(zone).replace(tzinfo=None)
        assert abs(shown - truth) < timedelta(seconds=1)


def test_what_is_not_named_an_oddity_is_plausible(made: dict[str, Any]) -> None:
    for reading in made["readings"]:
        if reading["oddity"] is not None:
            continue
        for name, quantity in reading["quantities"].items():
            low, high = ACCEPTED[name]
            assert low <= in_common_unit(quantity) <= high, (name, quantity)
        if "systolic" in reading["quantities"]:
            systolic, diastolic = (reading["quantities"][name]["value"] for name in ("systolic", "diastolic"))
            assert 15 <= systolic - diastolic <= 150
            assert systolic <= 180, "a red value is the demonstration's to show"


def test_nobody_gains_or_loses_weight_as_nobody_does(made: dict[str, Any]) -> None:
    by_person: dict[str, list[tuple[datetime, float]]] = defaultdict(list)
    for reading in made["readings"]:
        if reading["kind"] == "body_weight" and reading["oddity"] is None:
            weight_kg = in_common_unit(reading["quantities"]["body_weight"])
            by_person[reading["patient"]].append((instant(reading["measured_at"]), weight_kg))
    for series in by_person.values():
        for (before_at, before_kg), (after_at, after_kg) in itertools.combinations(series, 2):
            if after_at - before_at <= timedelta(hours=24):
                assert abs(after_kg - before_kg) < DAY_CHANGE_KG_MAX


def test_each_oddity_is_there_once_and_named(made: dict[str, Any]) -> None:
    odd = Counter(reading["oddity"] for reading in made["readings"] if reading["oddity"] is not None)
    expected = (practice_cast.GUEST, practice_cast.SUITCASE, practice_cast.BODY_MOVED, practice_cast.METER_HIGH)
    assert odd == Counter(expected)


def test_days_with_readings_reach_every_tier_of_device_supply(made: dict[str, Any]) -> None:
    """Per 30-day period of each episode, by the practice's local day: 16 or more, 2 to 15, fewer."""
    tiers: Counter[str] = Counter()
    days: dict[str, set[date]] = defaultdict(set)
    for reading in made["readings"]:
        if reading["patient"] is not None and reading["oddity"] is None:
            days[reading["patient"]].add(instant(reading["measured_at"]).astimezone(PRACTICE).date())
    for patient in made["patients"]:
        mine = sorted(days[patient["key"]])
        for period in range(2):
            count = sum(1 for day in mine if (day - mine[0]).days // 30 == period)
            tiers["16-30" if count >= 16 else "2-15" if count >= 2 else "0-1"] += 1
    assert all(tiers[tier] >= 3 for tier in ("16-30", "2-15", "0-1")), tiers


def test_minutes_reach_every_tier_of_management(made: dict[str, Any]) -> None:
    """October 2026, live contact in it: below 10, 10-19, 20-39, 40-59, 60 and more; and one without live contact."""
    seconds: Counter[str] = Counter()
    live: set[str] = set()
    for row in made["care_time"]:
        if instant(row["started_at"]).astimezone(PRACTICE).month == 10:
            seconds[row["patient"]] += row["seconds"]
            live |= {row["patient"]} if row["interactive"] else set()
    minutes = {patient: total / 60 for patient, total in seconds.items()}
    assert minutes == pytest.approx(
        {
            "p01": 25,
            "p02": 45,
            "p03": 66,
            "p04": 12,
            "p05": 20,
            "p06": 599 / 60,
            "p07": 15,
            "p08": 8,
            "p09": 1199 / 60,
            "p10": 10,
        }
    )
    assert set(minutes) - live == {"p07"}


def test_no_nurse_is_in_two_places_at_once(made: dict[str, Any]) -> None:
    for staff in (0, 1):
        rows = sorted(
            (instant(row["started_at"]), row["seconds"]) for row in made["care_time"] if row["staff"] == staff
        )
        assert rows
        for (start, seconds), (following, _) in itertools.pairwise(rows):
            assert start + timedelta(seconds=seconds) <= following


def test_people_devices_and_readings_belong_together(made: dict[str, Any]) -> None:
    patients = {patient["key"]: patient for patient in made["patients"]}
    devices = {device["address"]: device for device in made["devices"]}
    assert len(devices) == len(made["devices"])
    owned = {
        (device["address"], owner["user_slot"]): owner["patient"]
        for device in made["devices"]
        for owner in device["owners"]
    }
    for reading in made["readings"]:
        device = devices[reading["device"]]
        slot = None if device["single_person"] else reading["user_slot"]
        assert owned.get((reading["device"], slot)) == reading["patient"]
        assert device["kind"] == reading["kind"]
        if reading["patient"] is not None:
            set_up = instant(patients[reading["patient"]]["set_up_at"])
            assert set_up < instant(reading["measured_at"])
            assert instant(device["assigned_at"]) < instant(reading["measured_at"])
    shared = [device for device in made["devices"] if len(device["owners"]) == 2]
    assert [(device["kind"], device["home"]) for device in shared] == [("body_weight", "a")]
    assert {device["home"] for device in made["devices"]} == {"a", "b", "c", None}
    units = {r["quantities"][name]["unit"] for r in made["readings"] for name in r["quantities"]}
    assert {"kg", "[lb_av]", "mg/dL", "mmol/L", "mm[Hg]"} <= units
    assert {patient["time_zone"] for patient in made["patients"]} == {"America/New_York", "America/Los_Angeles"}
    assert [patient["key"] for patient in made["patients"] if patient["consented_at"] is None] == ["p07"]


def test_there_was_a_weight_yesterday_to_compare_the_demonstration_with(made: dict[str, Any]) -> None:
    """The 24 h rule looks 18 to 36 hours back, whatever the hour of the demonstration."""
    weights = [
        instant(reading["measured_at"])
        for reading in made["readings"]
        if reading["patient"] == "p02" and reading["kind"] == "body_weight"
    ]
    for hour in range(24):
        now = datetime.combine(UNTIL, datetime.min.time(), PRACTICE) + timedelta(hours=hour)
        assert any(timedelta(hours=18) <= now - at <= timedelta(hours=36) for at in weights), hour


def test_a_larger_practice_repeats_the_roles_under_new_names_and_addresses() -> None:
    large = practice(seed=7, patients=40, days=60, until=UNTIL)
    names = [(patient["given_name"], patient["family_name"]) for patient in large["patients"]]
    assert len(set(names)) == 40
    addresses = [device["address"] for device in large["devices"]]
    assert len(set(addresses)) == len(addresses)
    assert [len(device["owners"]) for device in large["devices"]].count(2) == 4
