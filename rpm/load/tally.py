"""What became of every reading of a run: when it was sent, how often, what its receipt said. Pure.

Times are monotonic seconds. A message is settled once each of its readings has a receipt, whatever that says.
"""

from array import array
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from rpm.load.messages import VALUES_PER_READING, Run, number_of

PERCENTILES: Final = (50, 90, 99)


@dataclass(frozen=True, slots=True)
class Kept:
    """Of a run, by the rows in the database: readings that are there once with all values, and rows too many."""

    whole: frozenset[int]
    doubled: int


@dataclass(slots=True)
class Tally:
    """Told of every sending and receipt of `run`, whose number of readings may still be open."""

    run: Run
    #: By message: first sent, last sent, and how many of its readings have no receipt.
    sent_at: "array[float]" = field(default_factory=lambda: array("d"))
    sent_last: dict[int, float] = field(default_factory=dict[int, float])
    open_items: "array[int]" = field(default_factory=lambda: array("i"))
    #: By reading: seconds from its first sending to its first receipt (below 0: none yet), and whether that said "stored".
    waits: "array[float]" = field(default_factory=lambda: array("d"))
    said_stored: bytearray = field(default_factory=bytearray)
    settled: int = 0
    held: dict[str, int] = field(default_factory=dict[str, int])
    repeated: int = 0
    sendings: int = 0
    heard_at: float = 0.0

    @property
    def sent(self) -> int:
        """Readings that were sent at least once."""
        return len(self.waits)

    @property
    def under_way(self) -> int:
        """Messages that are not settled."""
        return len(self.sent_last)

    def first_sending(self, place: int, *, at: float) -> None:
        """Message `place` was sent for the first time; messages come in their order."""
        items = min(self.run.per_message, self.run.readings - place * self.run.per_message)
        self.sent_at.append(at)
        self.open_items.append(items)
        self.waits.extend(-1.0 for _ in range(items))
        self.said_stored.extend(bytes(items))
        self.sending(place, at=at)

    def sending(self, place: int, *, at: float) -> None:
        """A message was handed over."""
        self.sendings += 1
        self.sent_last[place] = at

    def overdue(self, *, before: float) -> list[int]:
        """Messages last sent before a time and not settled, oldest first."""
        return sorted(place for place, at in self.sent_last.items() if at < before)

    def hear(self, receipt: Mapping[str, Any], *, at: float) -> None:
        """A receipt came. Those of other runs, or of what was never sent, are none of ours."""
        if receipt["epoch"] != self.run.epoch:
            return
        gateway = number_of(receipt["gateway_id"])
        for outcome in ("stored", "duplicate"):
            for seq in receipt[outcome]:
                self._settle(gateway, seq, at)
        for seq in receipt["unassigned"]:
            self._settle(gateway, seq, at, held="unassigned")
        for row in receipt["quarantined"]:
            self._settle(gateway, row["seq"], at, held=row["reason"])

    def _settle(self, gateway: int, seq: int, at: float, *, held: str = "") -> None:
        index = self.run.index(gateway, seq)
        if index >= len(self.waits):
            return
        if self.waits[index] >= 0:
            self.repeated += 1
            return
        place = index // self.run.per_message
        self.waits[index] = at - self.sent_at[place]
        self.said_stored[index] = not held
        self.settled += 1
        if held:
            self.held[held] = self.held.get(held, 0) + 1
        self.heard_at = at
        self.open_items[place] -= 1
        if not self.open_items[place]:
            del self.sent_last[place]

    def result(self, kept: Kept) -> dict[str, Any]:
        """The figures of the run, compared with what stands in the database. Rates are of wall time, waits in ms."""
        waits = np.frombuffer(self.waits, dtype=np.float64)
        receipted = waits >= 0
        heard = waits[receipted]
        took_s = max(self.heard_at - self.sent_at[0], 1e-9) if self.sent_at else 0.0
        with_row = np.zeros(len(waits), dtype=bool)
        with_row[list(kept.whole)] = True
        # A held reading is kept and told so: it is not lost, and has no row among the stored.
        said_stored = np.frombuffer(self.said_stored, dtype=bool)
        found: dict[str, Any] = {
            "sent": self.sent,
            "stored": int(np.count_nonzero(said_stored)),
            "lost": int(np.count_nonzero(said_stored & ~with_row)),
            "doubled": kept.doubled,
            "unreceipted": int(np.count_nonzero(~receipted)),
            "held": dict(self.held),
            "readings_per_s": round(len(heard) / took_s, 1) if took_s else 0.0,
            "took_s": round(took_s, 2),
            "wire_factor": round(self.sendings / len(self.sent_at), 4) if self.sent_at else 0.0,
            "receipts_repeated": self.repeated,
        }
        for percentile in PERCENTILES:
            found[f"receipt_ms_p{percentile}"] = _ms(float(np.percentile(heard, percentile))) if len(heard) else None
        found["receipt_ms_max"] = _ms(float(heard.max())) if len(heard) else None
        return found


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 1)


def faultless(result: Mapping[str, Any]) -> bool:
    """Whether every reading was sent, receipted as stored, and stands in the database once."""
    wrong = result["lost"] + result["doubled"] + result["unreceipted"] + sum(result["held"].values())
    return result["sent"] > 0 and not wrong


def kept_of(run: Run, rows: Iterable[tuple[int, str, int]], values: Mapping[int, int]) -> Kept:
    """Judge the rows of a run: (number, gateway, seq) of each, and number → how many values it has."""
    whole: set[int] = set()
    seen: set[int] = set()
    doubled = 0
    for number, name, seq in rows:
        index = run.index(number_of(name), seq)
        count = values.get(number, 0)
        if index in seen or count > VALUES_PER_READING:
            doubled += 1
        seen.add(index)
        if count >= VALUES_PER_READING:
            whole.add(index)
    return Kept(frozenset(whole), doubled)
