"""A weighing and what the scale made of it: joined where they certainly belong together, and never by guessing."""

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from devices.assemble import Assembled, Frame, Malformed, assemble
from devices.procedures import Ending, collect
from tests.unit.devices.peripheral import Peripheral

NOW = datetime(2026, 11, 22, 13, 1, tzinfo=UTC)

#: 70 kg, 71 kg; and with a time stamp of 08:01 and 08:02 (2026-11-22), users 1 and 2.
KG_70, KG_71 = "00b036", "007837"
STAMPED_1, STAMPED_2 = "06b036ea070b1608010001", "067837ea070b1608020002"
#: The captured frames of two Beurer scales: zeros, then the composition.
ZEROS, COMPOSITION = "9803000096230000000000000000", "9803c200df1a9701cc2fca21a811"
OTHER = "9803c300df1a9701cc2fca21a811"
WORDS = {
    "body_fat_percent": "19.4",
    "basal_metabolism_kj": "6879",
    "muscle_percent": "40.7",
    "soft_lean_mass_kg": "61.180",
    "body_water_mass_kg": "43.250",
    "impedance_ohm": "452.0",
}
NO_OWNER = "body composition: no weighing it certainly belongs to came with it"


def frames_of(*said: str) -> list[Frame]:
    """`w` or `c`, and the frame in hex."""
    uuid = {"w": "2A9D", "c": "2A9C"}
    return [Frame(uuid[one[0]], bytes.fromhex(one[2:]), NOW) for one in said]


def assembled(*said: str) -> list[Assembled | Malformed]:
    return assemble(frames_of(*said))


def weighed(entries: Sequence[Assembled | Malformed]) -> list[tuple[float | None, dict[str, str]]]:
    return [
        (entry.measurement.quantities["body_weight"].value, entry.measurement.context)
        for entry in entries
        if isinstance(entry, Assembled)
    ]


def reasons(entries: Sequence[Assembled | Malformed]) -> list[tuple[int, str]]:
    return [(entry.frame_index, entry.reason) for entry in entries if isinstance(entry, Malformed)]


@pytest.mark.parametrize("order", [(f"w {KG_70}", f"c {COMPOSITION}"), (f"c {COMPOSITION}", f"w {KG_70}")])
def test_a_composition_is_told_with_its_weighing(order: tuple[str, str]) -> None:
    (entry,) = assembled(*order)
    assert isinstance(entry, Assembled)
    assert weighed([entry]) == [(70.0, WORDS)]
    assert (entry.characteristic, entry.raw.hex()) == ("2A9D", KG_70)
    assert entry.raw_context == bytes.fromhex(COMPOSITION)
    assert order[entry.frame_index].startswith("w")


def test_zeros_before_the_measurement_tell_nothing() -> None:
    entries = assembled(f"w {KG_70}", f"c {ZEROS}", f"c {COMPOSITION}")
    assert weighed(entries) == [(70.0, WORDS)]
    assert reasons(entries) == []
    alone = assembled(f"w {KG_70}", f"c {ZEROS}")
    assert weighed(alone) == [(70.0, {})]
    assert reasons(alone) == []


def test_each_of_two_weighings_has_its_own() -> None:
    entries = assembled(f"w {KG_70}", f"c {COMPOSITION}", f"w {KG_71}", f"c {OTHER}")
    assert [(kg, context["body_fat_percent"]) for kg, context in weighed(entries)] == [(70.0, "19.4"), (71.0, "19.5")]


def test_a_time_stamp_finds_its_weighing_wherever_it_is() -> None:
    of_the_first = "0600c200ea070b1608010001"
    of_the_second = "0600c300ea070b1608020002"
    entries = assembled(f"w {STAMPED_1}", f"w {STAMPED_2}", f"c {of_the_second}", f"c {of_the_first}")
    assert [(kg, context["body_fat_percent"]) for kg, context in weighed(entries)] == [(70.0, "19.4"), (71.0, "19.5")]


@pytest.mark.parametrize(
    "composition",
    [
        pytest.param("0600c200ea070b1608010002", id="another user"),
        pytest.param("0600c200ea070b1608030001", id="another time"),
    ],
)
def test_another_persons_composition_is_not_this_persons(composition: str) -> None:
    entries = assembled(f"w {STAMPED_1}", f"c {composition}")
    assert weighed(entries) == [(70.0, {})]
    assert reasons(entries) == [(1, NO_OWNER)]


def test_where_two_could_be_a_weighings_none_is() -> None:
    entries = assembled(f"w {KG_70}", f"c {COMPOSITION}", f"c {OTHER}")
    assert weighed(entries) == [(70.0, {})]
    assert reasons(entries) == [(1, NO_OWNER), (2, NO_OWNER)]


def test_the_same_one_twice_is_one() -> None:
    assert weighed(assembled(f"w {KG_70}", f"c {COMPOSITION}", f"c {COMPOSITION}")) == [(70.0, WORDS)]


def test_packets_of_one_composition_are_put_together() -> None:
    first, second = "1810c200df1a9701", "8013c200cc2fca21a811"
    (entry,) = assembled(f"w {KG_70}", f"c {first}", f"c {second}")
    assert weighed([entry]) == [(70.0, WORDS)]
    assert isinstance(entry, Assembled)
    assert entry.raw_context == bytes.fromhex(first + second)


def test_a_composition_with_a_weight_and_no_other_frame_is_a_weighing() -> None:
    (entry,) = assembled("c 0004c200b036")
    assert isinstance(entry, Assembled)
    assert entry.characteristic == "2A9C"
    assert weighed([entry]) == [(70.0, {"body_fat_percent": "19.4"})]


def test_a_weight_that_contradicts_is_another_weighing() -> None:
    entries = assembled(f"w {KG_71}", "c 0004c200b036")
    assert weighed(entries) == [(71.0, {}), (70.0, {"body_fat_percent": "19.4"})]


def test_a_composition_alone_is_kept_for_people() -> None:
    assert reasons(assembled(f"c {COMPOSITION}")) == [(0, NO_OWNER)]


def test_pounds_are_told_as_pounds() -> None:
    ((pounds, context),) = weighed(assembled("w 01543d", "c 2100c800983a"))
    assert (pounds, context) == (157.0, {"body_fat_percent": "20.0", "muscle_mass_lb": "150.00"})


@pytest.mark.parametrize("refused", [False, True])
async def test_a_scale_that_wants_a_consent_first_still_tells_the_weight(refused: bool) -> None:  # noqa: FBT001 - pytest hands it over by name
    scale = Peripheral(
        stored={"2A9D": [bytes.fromhex(KG_70)], "2A9C": [bytes.fromhex(COMPOSITION)]},
        hangs_up=False,
        refuses={"2A9C": 0x80} if refused else {},
    )
    frames: list[Frame] = []
    ending = await collect(scale, keep=frames.append, utc_now=lambda: NOW, last_sequence=None)
    assert ending is Ending.QUIET
    assert weighed(assemble(frames)) == [(70.0, {} if refused else WORDS)]
