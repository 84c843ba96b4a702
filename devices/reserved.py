"""Flag bits a standard reserves and a device sets all the same: ignored by every decoder, and named here for the log."""

from collections import Counter
from collections.abc import Iterable
from typing import Final

from devices import gatt
from devices.assemble import Frame

#: Of each frame that becomes a reading: how many bytes its flags have, and how many of their bits mean something.
_FLAGS: Final = {
    gatt.BLOOD_PRESSURE_MEASUREMENT: (1, 5),
    gatt.WEIGHT_MEASUREMENT: (1, 4),
    gatt.BODY_COMPOSITION: (2, 13),
    gatt.GLUCOSE_MEASUREMENT: (1, 5),
    gatt.OXIMETER_SPOT: (1, 5),
    gatt.TEMPERATURE_MEASUREMENT: (1, 3),
}


def reserved_bits(frames: Iterable[Frame]) -> dict[tuple[str, int], int]:
    """(characteristic, bit) → in how many frames that bit was set."""
    found: Counter[tuple[str, int]] = Counter()
    for frame in frames:
        size, known = _FLAGS.get(frame.characteristic, (0, 0))
        flags = int.from_bytes(frame.data[:size], "little") >> known
        found.update((frame.characteristic, known + bit) for bit in range(flags.bit_length()) if flags >> bit & 1)
    return dict(found)
