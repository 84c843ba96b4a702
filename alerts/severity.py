"""How much an alert asks of a person. The number is what the database sorts by; the word is what everything else says."""

from enum import IntEnum


class Severity(IntEnum):
    """`routine` next business day, `priority` same day, `urgent` now."""

    ROUTINE = 1
    PRIORITY = 2
    URGENT = 3

    @property
    def word(self) -> str:
        """The name of a band, in TOML files and in the database: `urgent`."""
        return self.name.lower()

    @property
    def lower(self) -> "Severity":
        """The next lower one; there is nothing below `routine`."""
        return Severity(max(self - 1, Severity.ROUTINE))

    @classmethod
    def of(cls, word: str) -> "Severity":
        """The severity a word names; ValueError where it names none."""
        for severity in cls:
            if severity.word == word:
                return severity
        raise ValueError(f"{word!r} is no severity (routine, priority, urgent)")
