"""Meters that do not only keep the book: whose clock is not where it belongs, or whose numbers move."""

# bumble leaves parameters unannotated here and there.
# pyright: reportUnknownMemberType=false

from dataclasses import replace

from bumble.gatt import Characteristic, Service
from typing_extensions import override

from devices import gatt
from devices.virtual.glucometer import Glucometer
from devices.virtual.ledger import Said
from devices.virtual.peripheral import Properties, service
from devices.virtual.record_keeper import number_of


class ServiceClockMeter(Glucometer):
    """A meter with Date Time inside its glucose service, and no Current Time Service (Roche)."""

    @override
    def _beside(self) -> "tuple[Characteristic[bytes], ...]":
        return (self._clock_characteristic(gatt.DATE_TIME),)

    @override
    def _current_time(self) -> tuple[Service, ...]:
        return ()


class OwnClockMeter(Glucometer):
    """A meter whose clock is behind a service of its vendor's own (Contour, CareSens). `writes`: what it was told there."""

    @override
    def services(self) -> tuple[Service, ...]:
        self.writes: list[bytes] = []
        clock = self._characteristic(
            _OWN_CLOCK, Properties.WRITE | Properties.NOTIFY, write=lambda _, data: self.writes.append(data)
        )
        return (*super().services(), service(_OWN_SERVICE, [clock]))

    @override
    def _current_time(self) -> tuple[Service, ...]:
        return ()


class RenumberingMeter(Glucometer):
    """A meter without a clock to read, whose numbers are places in a list: the newest record is always 1 (TaiDoc)."""

    @override
    def _current_time(self) -> tuple[Service, ...]:
        return ()

    @override
    def _store(self, said: Said) -> int:
        self._records = [_placed(each, number_of(each) + 1) for each in self._records]
        self._told = {number + 1 for number in self._told}
        self._known = {number + 1 for number in self._known}
        return super()._store(_placed(said, 1))


def _placed(said: Said, place: int) -> Said:
    """The record, and its context, with this number."""
    number = place.to_bytes(2, "little")
    context = said.context_frame
    return replace(
        said,
        sequence_number=place,
        frame=said.frame[:1] + number + said.frame[3:],
        context_frame=None if context is None else context[:1] + number + context[3:],
    )


_OWN_SERVICE = "00000000-0002-11E2-9E96-0800200C9A66"
_OWN_CLOCK = "00001026-0002-11E2-9E96-0800200C9A66"
