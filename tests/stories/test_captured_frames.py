"""Bytes no one here made travel the whole path: frames captured from real devices, replayed over the radio.

Method: a home whose devices send, byte for byte, what a cuff, a Beurer cuff (whose frames break the standard), a scale and two makes of
meter once sent. What arrives in the database is compared with those bytes and with what the devices' displays showed.
"""

from pathlib import Path

from tests.support.broker import Broker
from tests.support.world import Home, VirtualDevice, World

PATIENT = "Joan Okafor"
HOME = Home(
    "c",
    (
        VirtualDevice("cuff", "captures", "C0:00:00:00:0C:01", PATIENT, settings='capture = "cuff"'),
        VirtualDevice("beurer", "captures", "C0:00:00:00:0C:02", PATIENT, settings='capture = "beurer_cuff"', slot=1),
        VirtualDevice("scale", "captures", "C0:00:00:00:0C:03", PATIENT, settings='capture = "scale"', slot=1),
        VirtualDevice("meter", "captures", "C0:00:00:00:0C:04", PATIENT, settings='capture = "meter"'),
    ),
)
#: What was captured, and what the display showed: name of the value and its number, in the unit stored.
SHOWN = {
    "167c0056006100e807060f11111b33000000": {"systolic": 124.0, "diastolic": 86.0, "pulse_rate": 51.0},
    "56710049000000ea07080b1438000041010000": {"systolic": 113.0, "diastolic": 73.0, "pulse_rate": 65.0},
    "56770046000000ea07080b1439000057010040": {"systolic": 119.0, "diastolic": 70.0, "pulse_rate": 87.0},
    "0e205cea07070e1729200140018007": {"body_weight": 117.92},
    "0b0400e407050e0c311d4e0168b0f80000": {"glucose": 104.0},
    "1b0f00e807011e053a1b53016fb0f80000": {"glucose": 111.0},
}
#: 13 mg/dL from a test strip: kept, and not believed.
IMPLAUSIBLE = "030200e407030a0d310000000db011"
CODES = {1: "systolic", 2: "diastolic", 4: "pulse_rate", 5: "body_weight", 8: "glucose"}


def test_captured_frames_are_stored_as_they_were_sent(tmp_path: Path, broker: Broker, dsn: str) -> None:
    """Every frame is kept byte for byte; every value is what the display showed; the implausible one is held."""
    with World(tmp_path, homes=[HOME], broker=broker, dsn=dsn) as world:
        world.start_worker()
        world.start_gateway(HOME)
        world.wait_confirmed(len(SHOWN) + 1)

        def arrived() -> bool:
            [(stored, held)] = world.rows("select (select count(*) from reading), (select count(*) from held)")
            return stored + held >= len(SHOWN) + 1

        world.until("everything is settled", arrived)
        rows = world.rows(
            "select encode(r.raw, 'hex'), o.code, o.value from reading r join observation o using (reading_no)"
        )
        stored: dict[str, dict[str, float]] = {}
        for raw, code, value in rows:
            if code in CODES:
                stored.setdefault(raw, {})[CODES[code]] = value
        assert stored == SHOWN
        held = world.rows("select why, reason, item -> 'reading' ->> 'raw' from held")
        assert held == [("quarantined", "value_implausible", IMPLAUSIBLE)]
