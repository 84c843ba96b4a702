"""What the outbox remembers of the machine's boots: how long each ran, and what its clock turned out to be.

A box without a clock chip begins each boot in the past. Whatever is kept while its clock is unset bears the boot's number
and how long that boot had run; once the time is known, for this boot or only for a later one, the rest is arithmetic
(`gateway.dating`).
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from gateway.outbox.store import Store

#: Boots remembered beyond those that something kept still refers to.
BOOTS_MAX: Final = 100


@dataclass(frozen=True, slots=True)
class Boot:
    """One boot. `offset_ns` = UTC − running time, once something vouched for the clock; None: never. It ran `ran_ns` at least."""

    number: int
    id: str
    offset_ns: int | None
    ran_ns: int


class Boots:
    """The boots of one outbox, in their order."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def begin(self, boot_id: str, *, running_ns: int, now: datetime) -> Boot:
        """The boot with that id: remembered from an earlier start of the program, or new."""
        with self._store.writing(now=now):
            self._store.connection.execute(
                "insert into boot(id, ran_ns) values (?, ?) on conflict (id) do nothing", (boot_id, running_ns)
            )
            self._store.connection.execute(
                "delete from boot where number <= (select max(number) from boot) - ?"
                " and number not in (select boot from session where boot is not null)"
                " and number not in (select boot from event where boot is not null)",
                (BOOTS_MAX,),
            )
        return next(boot for boot in self.all() if boot.id == boot_id)

    def ran(self, number: int, *, running_ns: int, offset_ns: int | None, now: datetime) -> None:
        """It runs still, and its clock is right at that offset (None: as before)."""
        with self._store.writing(now=now):
            self._store.connection.execute(
                "update boot set ran_ns = max(ran_ns, ?), offset_ns = coalesce(?, offset_ns) where number = ?",
                (running_ns, offset_ns, number),
            )

    def all(self) -> tuple[Boot, ...]:
        """All that are remembered, the oldest first."""
        return tuple(
            Boot(*row) for row in self._store.all("select number, id, offset_ns, ran_ns from boot order by number")
        )
