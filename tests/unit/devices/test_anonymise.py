"""What is taken out of a recording: serial numbers, days, and whatever a device might have been told of its user."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from devices import anonymise, gatt
from devices.blood_pressure import BloodPressureMeasurement
from devices.catalogue import find
from devices.date_time import DateTime
from devices.glucose import GlucoseMeasurement
from devices.procedures import Frame
from devices.recording import BadRecording, find_recording, library, read_recording
from devices.weight_scale import WeightMeasurement

NOW = datetime(2026, 11, 28, 12, 0)  # noqa: DTZ001 - a device's wall time
RECEIVED = datetime(2026, 11, 28, 17, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "name, kept",
    [
        ("A&D_UA-651BLE_0A1B2C", "A&D_UA-651BLE_000000"),
        ("meter+06204567", "meter+00000000"),
        ("Contour7830H5001234", "Contour7830H0000000"),
        ("BLEsmart_00000116E7123456", "BLEsmart_0000000000000000"),
        ("BF720", "BF720"),
        ("UA-651BLE", "UA-651BLE"),
        (None, None),
    ],
)
def test_a_name_keeps_its_model_and_loses_its_serial_number(name: str | None, kept: str | None) -> None:
    assert anonymise.name(name) == kept
    assert find(None, None, kept) is find(None, None, name), "it is still taken for the same model"


def squeeze(shown: DateTime | None) -> Frame:
    data = bytes(BloodPressureMeasurement(Decimal(120), Decimal(80), Decimal(93), time_stamp=shown))
    return Frame(gatt.BLOOD_PRESSURE_MEASUREMENT, data, RECEIVED)


def test_every_day_is_moved_by_the_same_weeks_and_the_clock_with_them() -> None:
    monday, friday = DateTime(2026, 11, 23, 7, 30, 5), DateTime(2026, 11, 27, 19, 0, 0)
    clock = bytes(DateTime(2026, 11, 28, 11, 0, 0)) + bytes([6, 0, 0])
    weighing = Frame(gatt.WEIGHT_MEASUREMENT, bytes(WeightMeasurement(Decimal("72.35"), time_stamp=monday)), RECEIVED)
    told = anonymise.moved({gatt.CURRENT_TIME: clock}, [squeeze(friday), weighing], now=NOW)
    first = BloodPressureMeasurement.from_bytes(told.frames[0].data)
    second = WeightMeasurement.from_bytes(told.frames[1].data)
    assert second.time_stamp == DateTime(2024, 1, 1, 7, 30, 5), "a Monday stays a Monday, and its time of day"
    assert first.time_stamp == DateTime(2024, 1, 5, 19, 0, 0)
    assert told.answers[gatt.CURRENT_TIME] == bytes(DateTime(2024, 1, 6, 11, 0, 0)) + bytes([6, 0, 0])
    assert (first.systolic, second.weight) == (Decimal(120), Decimal("72.350")), "the values stay"


@pytest.mark.parametrize(
    "odd", [DateTime(2037, 1, 1), DateTime(2000, 1, 1, 0, 4), DateTime(0, 0, 0), DateTime(2026, 13, 1)]
)
def test_a_date_that_is_part_of_the_quirk_stays(odd: DateTime) -> None:
    usual = DateTime(2026, 11, 23, 7, 30)
    record = GlucoseMeasurement(1, odd, concentration=Decimal("104E-5"))
    frames = [
        Frame(gatt.GLUCOSE_MEASUREMENT, bytes(each), RECEIVED) for each in (record, replace(record, base_time=usual))
    ]
    told = anonymise.moved({}, frames, now=NOW)
    assert told.frames[0] == frames[0]
    assert GlucoseMeasurement.from_bytes(told.frames[1].data).base_time == DateTime(2024, 1, 1, 7, 30)


def test_of_what_a_device_answers_only_what_it_is_is_kept() -> None:
    # 2A8A and 2A85: a user's first name and date of birth (User Data Service).
    answers = {gatt.MODEL_NUMBER: b"UA-651BLE", gatt.SERIAL_NUMBER: b"5160300123", gatt.SYSTEM_ID: bytes(8)}
    answers |= {"2A8A": b"J", "2A85": bytes(4), "2A00": b"J's cuff", gatt.USER_CONTROL_POINT: bytes(3)}
    assert anonymise.moved(answers, [], now=NOW).answers == {gatt.MODEL_NUMBER: b"UA-651BLE"}


def test_a_frame_nobody_can_look_into_is_said_to_be_one() -> None:
    unknown = Frame("2AA7", bytes(9), RECEIVED)
    broken = Frame(gatt.BLOOD_PRESSURE_MEASUREMENT, b"\x16\x78", RECEIVED)
    assert anonymise.moved({}, [squeeze(None), unknown, broken], now=NOW).unread == (1, 2)


def test_another_makes_layout_is_looked_into_by_its_model() -> None:
    # A frame of a BM85 (devices/vectors/blood_pressure.json), taken on 2026-07-08 at 11:20:56.
    bm85 = Frame(gatt.BLOOD_PRESSURE_MEASUREMENT, bytes.fromhex("56710049000000ea07080b1438000041010000"), RECEIVED)
    told = anonymise.moved({}, [bm85], now=NOW, model=find("Beurer", "BM85"))
    assert told.unread == ()
    assert told.frames[0].data != bm85.data
    assert len(told.frames[0].data) == len(bm85.data)


def test_the_library_tells_nobodys_serial_number_and_of_no_other_week() -> None:
    found = library()
    assert len(found) >= 10
    week = timedelta(days=7)
    for name, recording in found.items():
        assert recording.readings or recording.held, name
        assert not recording.real or recording.checked, f"{name}: nobody compared it with the display"
        assert not {gatt.SERIAL_NUMBER, gatt.SYSTEM_ID} & recording.values.keys(), name
        told = [reading["device_time"] for reading in recording.readings if reading["device_time"]]
        for each in told:
            wall = datetime.fromisoformat(each)
            assert wall.year < 2015 or wall - anonymise.NEW_FIRST_DAY < 520 * week, name


def test_a_file_that_is_no_recording_is_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_text('{"format": 1, "real": true}')
    for wrong in (str(path), str(tmp_path / "none.json"), "no_such_device"):
        with pytest.raises(BadRecording) as refused:
            find_recording(wrong)
        assert "\n" not in str(refused.value)
    with pytest.raises(BadRecording, match="source: Field required"):
        read_recording(path)
