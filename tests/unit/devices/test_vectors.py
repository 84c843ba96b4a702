"""Every published vector holds: what the standard, a public test or a real device's display says these bytes mean.

The expectations come from the sources named in each vector, not from our decoder. An `expect` names the keys it promises
and no others.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from devices import beurer, decode, vectors
from devices.encoding import MalformedFrame, float_from_bytes, float_to_bytes, sfloat_from_bytes, sfloat_to_bytes
from devices.measurement import quantity
from devices.vectors.checking import promised

Vector = dict[str, Any]
FOLDER = Path(str(vectors.__path__[0]))
FILES = {path.stem: json.loads(path.read_text("utf-8")) for path in sorted(FOLDER.glob("*.json"))}
NUMBERS = {"sfloat": (sfloat_from_bytes, sfloat_to_bytes), "float": (float_from_bytes, float_to_bytes)}


def rows(*, malformed: bool, numbers: bool = False) -> list[Any]:
    return [
        pytest.param(
            file["number"] if numbers else file["characteristic"], vector, id=f"{name}-{vector['hex'] or 'nothing'}"
        )
        for name, file in FILES.items()
        if (name in NUMBERS) == numbers
        for vector in file["vectors"]
        if ("error_at_byte" in vector) == malformed
    ]


@pytest.mark.parametrize("uuid, vector", rows(malformed=False))
def test_a_frame_says_what_its_source_says(uuid: str, vector: Vector) -> None:
    found = decode.describe(uuid, vector["hex"])
    assert promised(vector["expect"], found) == vector["expect"]


@pytest.mark.parametrize("uuid, vector", rows(malformed=True))
def test_a_malformed_frame_is_refused_at_its_byte_in_one_line(uuid: str, vector: Vector) -> None:
    with pytest.raises(MalformedFrame) as refused:
        decode.describe(uuid, vector["hex"])
    assert refused.value.offset == vector["error_at_byte"]
    assert f"at byte {vector['error_at_byte']}," in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name, vector", rows(malformed=False, numbers=True))
def test_a_number_is_what_its_source_says_and_encodes_to_the_same_bytes(name: str, vector: Vector) -> None:
    from_bytes, to_bytes = NUMBERS[name]
    data = bytes.fromhex(vector["hex"])
    found = quantity(from_bytes(data), "1")
    assert found.value == vector["expect"]["value"]
    assert found.absent == vector["expect"].get("absent")
    assert to_bytes(from_bytes(data)) == data


@pytest.mark.parametrize("name, vector", rows(malformed=True, numbers=True))
def test_a_malformed_number_is_refused_at_its_byte(name: str, vector: Vector) -> None:
    with pytest.raises(MalformedFrame) as refused:
        NUMBERS[name][0](bytes.fromhex(vector["hex"]))
    assert refused.value.offset == vector["error_at_byte"]


VARIANTS = [
    pytest.param(file["characteristic"], vector, id=vector["hex"])
    for file in FILES.values()
    for vector in file["vectors"]
    if "variant" in vector
]


@pytest.mark.parametrize("uuid, vector", VARIANTS)
def test_a_frame_beside_the_standard_is_read_by_its_models_layout_alone(uuid: str, vector: Vector) -> None:
    found = decode.describe(uuid, beurer.standard_form(uuid, bytes.fromhex(vector["hex"])))
    assert promised(vector["variant"]["expect"], found) == vector["variant"]["expect"]


def test_the_files_are_what_their_readme_says() -> None:
    assert len(VARIANTS) == 2
    assert sum(len(file["vectors"]) for file in FILES.values()) >= 140
    assert {file["characteristic"] for file in FILES.values() if "characteristic" in file} == set(
        decode.CHARACTERISTICS
    )
    for file in FILES.values():
        assert file["format"] == 1
        frames = [vector["hex"] for vector in file["vectors"]]
        assert len(frames) == len(set(frames))
        for vector in file["vectors"]:
            assert vector["source"]
            assert ("expect" in vector) != ("error_at_byte" in vector)
