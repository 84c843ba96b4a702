"""What a turn of a loop says of itself, where there is no more to say than how much it did."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Done:
    """How much there was to do. `more`: there may be more at once."""

    done: int
    more: bool = False
