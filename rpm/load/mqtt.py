"""As much of MQTT 5 as a gateway at full speed needs: packets as bytes, and a reader that cuts a stream into them.

A client library costs a whole core at ten thousand messages a second; these few lines leave that core to what is measured.
Source: OASIS MQTT Version 5.0, sections 1.5 (data types), 2.2.2 (properties) and 3.1 to 3.12 (packets).
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

CONNACK: Final = 0x2
PUBLISH: Final = 0x3
PUBACK: Final = 0x4
SUBACK: Final = 0x9
#: Keeps a connection alive that has nothing to say (3.12).
PINGREQ: Final = b"\xc0\0"
#: Reasons from here on are refusals (2.4).
REFUSED: Final = 0x80
#: What a server grants that names no Receive Maximum (3.2.2.3.3).
RECEIVE_MAXIMUM: Final = 65_535
PACKET_IDS: Final = 65_535
_RECEIVE_MAXIMUM_PROPERTY: Final = 0x21
#: Bytes of the properties a CONNACK may hold (2.2.2.2); None: a string or binary behind its length; pairs are two of those.
_WIDTHS: Final[dict[int, int | None]] = {
    0x11: 4, 0x12: None, 0x13: 2, 0x15: None, 0x16: None, 0x1A: None, 0x1C: None, 0x1F: None,
    0x21: 2, 0x22: 2, 0x24: 1, 0x25: 1, 0x27: 4, 0x28: 1, 0x29: 1, 0x2A: 1,
}  # fmt: skip
_USER_PROPERTY: Final = 0x26


def packet_id(index: int) -> int:
    """The packet id of the message that is sent as number `index` (from 0) over one connection."""
    return index % PACKET_IDS + 1


def connect(client_id: str, username: str, password: str, *, keepalive_s: int = 60) -> bytes:
    """CONNECT with clean start and no session behind it."""
    head = _text("MQTT") + bytes([5, 0xC2]) + struct.pack(">H", keepalive_s) + b"\0"
    return _packet(0x10, head + _text(client_id) + _text(username) + _text(password))


def subscribe(number: int, *topics: str) -> bytes:
    """SUBSCRIBE to filters with QoS 1."""
    return _packet(0x82, struct.pack(">H", number) + b"\0" + b"".join(_text(topic) + b"\x01" for topic in topics))


def publish(number: int, topic: str, payload: bytes) -> bytes:
    """PUBLISH with QoS 1."""
    return _packet(0x32, _text(topic) + struct.pack(">H", number) + b"\0" + payload)


def puback(number: int) -> bytes:
    """PUBACK that says success."""
    return b"\x40\x02" + struct.pack(">H", number)


def refused(kind: int, body: bytes) -> int | None:
    """The first reason of a PUBACK or SUBACK that says no (3.4.2.1, 3.9.3: from 0x80 on); None where all went well."""
    if kind == PUBACK:
        reasons = body[2:3]
    else:
        length, at = _number(body, 2)
        reasons = body[at + length :]
    return next((reason for reason in reasons if reason >= REFUSED), None)


def granted(body: bytes) -> int:
    """The Receive Maximum of a CONNACK; ConnectionRefusedError where it is no welcome."""
    if body[1] != 0:
        raise ConnectionRefusedError(f"the broker refuses the connection: reason {body[1]:#x}")
    length, at = _number(body, 2)
    end = at + length
    while at < end:
        name, at = body[at], at + 1
        if name == _RECEIVE_MAXIMUM_PROPERTY:
            return int.from_bytes(body[at : at + 2], "big")
        width = None if name == _USER_PROPERTY else _WIDTHS[name]
        for _ in range(2 if name == _USER_PROPERTY else 1):
            at += 2 + int.from_bytes(body[at : at + 2], "big") if width is None else width
    return RECEIVE_MAXIMUM


def published(body: bytes) -> tuple[int, bytes]:
    """Packet id and payload of a PUBLISH with QoS 1."""
    at = 2 + int.from_bytes(body[:2], "big")
    number = int.from_bytes(body[at : at + 2], "big")
    length, at = _number(body, at + 2)
    return number, body[at + length :]


@dataclass(slots=True)
class Packets:
    """Cuts what arrives into packets."""

    _rest: bytes = field(default=b"")

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Type and body of every packet that is whole now."""
        buffer = self._rest + data
        at = 0
        while True:
            try:
                length, start = _number(buffer, at + 1)
            except IndexError:
                break
            if start + length > len(buffer):
                break
            yield buffer[at] >> 4, buffer[start : start + length]
            at = start + length
        self._rest = buffer[at:]


def _packet(first: int, body: bytes) -> bytes:
    length = len(body)
    encoded = bytearray()
    while True:
        length, digit = divmod(length, 128)
        encoded.append(digit | (0x80 if length else 0))
        if not length:
            return bytes([first]) + bytes(encoded) + body


def _number(data: bytes, at: int) -> tuple[int, int]:
    """A variable byte integer (1.5.5) and where it ends; IndexError where it is not whole."""
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if not byte & 0x80:
            return value, at


def _text(text: str) -> bytes:
    encoded = text.encode()
    return struct.pack(">H", len(encoded)) + encoded
