"""The way up: outbox rows to the broker and receipts back. The only place that touches paho-mqtt."""

from gateway.uplink.uplink import Uplink

__all__ = ["Uplink"]
