"""What the broker's files say; that the broker obeys them is tried by delivery in tests/services/test_broker.py."""

from pathlib import Path

import pytest

from rpm.broker import accounts, configuration


def test_the_accounts_file_holds_no_password() -> None:
    text = accounts(worker_password="open-sesame-1", gateways={"gw-home-a": "open-sesame-2"})
    assert "gw-home-a" in text
    assert "open-sesame" not in text


def test_equal_passwords_do_not_look_equal() -> None:
    first = accounts(worker_password="same", gateways={})
    second = accounts(worker_password="same", gateways={})
    assert first != second


def test_the_same_salt_gives_the_same_file() -> None:
    made = {accounts(worker_password="same", gateways={"gw-home-a": "other"}, draw=bytes) for _ in range(2)}
    assert len(made) == 1


@pytest.mark.parametrize("line", ["listener 18830 127.0.0.1", "allow_anonymous false", "retain_available false"])
def test_the_listener_is_on_loopback_and_asks_for_a_name(line: str) -> None:
    text = configuration(port=18830, plugin=Path("/p.so"), accounts_file=Path("/a.json"))
    assert line in text.splitlines()
    assert sum(row.startswith("listener") for row in text.splitlines()) == 1
