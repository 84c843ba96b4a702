"""Whether an answer keeps what a vector promises. Pure; what asks and answers is `__main__`."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from devices import decode
from devices.encoding import MalformedFrame, float_from_bytes, sfloat_from_bytes
from devices.measurement import quantity

Json = dict[str, Any]
#: Takes a question to its answer: what the bytes say, or {"error": why} and, where it knows, the "byte".
Reader = Callable[[Json], Json]

FORMAT = 1
_NUMBERS = {"sfloat": sfloat_from_bytes, "float": float_from_bytes}


class BadVectors(ValueError):
    """One line that says what is wrong with a file of vectors."""


@dataclass(frozen=True, slots=True)
class Broken:
    """A promise that an answer did not keep."""

    question: Json
    why: str


def questions(text: str) -> list[tuple[Json, Json]]:
    """Each vector of a file with what a reader is asked. BadVectors where it is no such file."""
    try:
        file: Json = json.loads(text)
        kind = "number" if "number" in file else "characteristic"
        if file["format"] != FORMAT:
            raise BadVectors(f"format {file['format']}: this program reads {FORMAT}")
        return [({kind: file[kind], "hex": vector["hex"]}, vector) for vector in file["vectors"]]
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise BadVectors("no file of vectors: see devices/vectors/README.md") from error


def judge(question: Json, vector: Json, answer: Json) -> Broken | None:
    """None where the answer keeps every promise of the vector."""
    refused = "error" in answer
    if "error_at_byte" in vector:
        if not refused:
            return Broken(question, "read although it is malformed")
        byte = answer.get("byte", vector["error_at_byte"])
        told = f"refused at byte {byte}, and it is byte {vector['error_at_byte']}"
        return None if byte == vector["error_at_byte"] else Broken(question, told)
    if refused:
        return Broken(question, f"refused: {answer['error']}")
    found = promised(vector["expect"], answer)
    if found == vector["expect"]:
        return None
    return Broken(question, f"want {json.dumps(vector['expect'])}, found {json.dumps(found)}")


def promised(expect: Any, found: Any) -> Any:
    """What was found, cut down to the keys that were promised."""
    if isinstance(expect, dict) and isinstance(found, dict):
        wanted, had = cast("Json", expect), cast("Json", found)
        return {key: promised(wanted[key], had[key]) for key in wanted if key in had}
    return found


def our_answer(question: Json) -> Json:
    """What this program's decoders say."""
    try:
        if "number" not in question:
            return decode.describe(question["characteristic"], question["hex"])
        found = quantity(_NUMBERS[question["number"]](decode.from_hex(question["hex"])), "1")
    except MalformedFrame as error:
        return {"error": str(error), "byte": error.offset}
    return {"value": found.value} if found.absent is None else {"value": None, "absent": found.absent.value}
