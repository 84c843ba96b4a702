"""The few MQTT packets that simulated gateways speak, as the standard has them."""

import pytest

from rpm.load.mqtt import PUBACK, SUBACK, Packets, granted, packet_id, publish, published, refused, subscribe


def test_packets_are_cut_wherever_the_stream_is() -> None:
    bodies = [b"", b"x" * 200, b"{}"]
    stream = b"".join(publish(packet_id(number), "a/b", body) for number, body in enumerate(bodies))
    for size in (1, 2, 7, len(stream)):
        packets = Packets()
        cut = [packet for at in range(0, len(stream), size) for packet in packets.feed(stream[at : at + size])]
        assert [published(body) for _, body in cut] == [(1, b""), (2, b"x" * 200), (3, b"{}")]


def test_what_the_broker_grants() -> None:
    """MQTT 5.0, 3.2: session present, reason, properties (here: Topic Alias Maximum 10, Receive Maximum 50)."""
    assert granted(bytes.fromhex("0000 06 22000a 210032")) == 50
    assert granted(bytes.fromhex("0000 00")) == 65_535
    with pytest.raises(ConnectionRefusedError):
        granted(bytes.fromhex("0087 00"))


def test_a_refusal_is_told_from_a_granting() -> None:
    """MQTT 5.0, 3.4.2 and 3.9.3: packet id, then (PUBACK) a reason if it is not 0, or (SUBACK) properties and one each."""
    assert refused(PUBACK, bytes.fromhex("0001")) is None
    assert refused(PUBACK, bytes.fromhex("000110")) is None, "nobody listens: no refusal"
    assert refused(PUBACK, bytes.fromhex("000187")) == 0x87
    assert refused(SUBACK, bytes.fromhex("0001 00 0101")) is None
    assert refused(SUBACK, bytes.fromhex("0001 00 0187")) == 0x87


def test_many_filters_travel_in_one_packet() -> None:
    """3.8: each filter with its options behind it."""
    assert subscribe(2, "a", "b/c").hex(" ") == "82 0d 00 02 00 00 01 61 01 00 03 62 2f 63 01"
