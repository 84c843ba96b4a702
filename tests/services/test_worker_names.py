"""Two workers with one certificate: the second does not start, or the first is told plainly and ends (F13)."""

import pytest

from rpm.ingest.subscriber import TAKEN_OVER, BrokerAddress, Subscriber
from rpm.store.names import HeldName, NameTaken


def test_a_name_is_one_workers_at_a_time(dsn: str) -> None:
    first = HeldName(dsn, "worker-1")
    with pytest.raises(NameTaken, match="another worker runs as worker-1"):
        HeldName(dsn, "worker-1")
    HeldName(dsn, "worker-2").close()
    first.close()
    HeldName(dsn, "worker-1").close()


def test_who_was_thrown_out_by_its_own_name_does_not_come_back() -> None:
    """Both coming back again and again was measured: 17 times in 15 s, the same messages sent 16 times each."""
    subscriber = Subscriber(BrokerAddress("127.0.0.1", 1, None, None, tls=False))
    subscriber._on_disconnect(subscriber._client, None, None, "Keep alive timeout", None)  # pyright: ignore[reportArgumentType]
    assert not subscriber._taken_over
    subscriber._on_disconnect(subscriber._client, None, None, TAKEN_OVER, None)  # pyright: ignore[reportArgumentType]
    assert subscriber._taken_over
    assert not subscriber.alive, "the watchdog ends the process"
