"""What every part of a rules file is built on: frozen, nothing unknown in it, and what is wrong knows its field."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

#: UCUM unit → number.
PerUnit = dict[str, Annotated[float, Field(allow_inf_nan=False)]]
#: Longer than any look-back: half a year is the longest a guideline asks for.
Hours = Annotated[float, Field(gt=0, le=24 * 200)]
Days = Annotated[int, Field(ge=1, le=200)]


class Strict(BaseModel):
    """A part of a file: read once, never changed; a field nobody knows is a mistake."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class FieldFault(ValueError):
    """What is wrong with one field. `at` is its path below the entry that was being checked."""

    def __init__(self, message: str, *at: str | int) -> None:
        super().__init__(message)
        self.at = at
