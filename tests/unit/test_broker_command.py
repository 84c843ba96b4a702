"""`rpm-cloud broker accounts` writes the files an administrator hands to Mosquitto."""

import json
from pathlib import Path

import pytest

from rpm.commands.broker import accounts as broker
from rpm.errors import UserError


def _passwords(folder: Path) -> dict[str, str]:
    passwords: dict[str, str] = json.loads((folder / "passwords.json").read_text("utf-8"))
    return passwords


def test_a_second_run_adds_a_gateway_and_changes_no_password(tmp_path: Path) -> None:
    broker(tmp_path, ["gw-home-a"])
    before = _passwords(tmp_path)
    broker(tmp_path, ["gw-home-b"])
    after = _passwords(tmp_path)
    assert set(after) == {"worker", "gw-home-a", "gw-home-b"}
    assert {name: after[name] for name in before} == before
    clients = json.loads((tmp_path / "accounts.json").read_text("utf-8"))["clients"]
    assert {client["username"] for client in clients} == set(after)


def test_both_files_are_for_their_owner_only(tmp_path: Path) -> None:
    broker(tmp_path, ["gw-home-a"])
    assert {(tmp_path / name).stat().st_mode & 0o777 for name in ("passwords.json", "accounts.json")} == {0o600}


@pytest.mark.parametrize("name", ["#", "gw-+", "worker", "gw-home-a/readings"])
def test_a_name_that_is_a_wildcard_or_not_a_gateways_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match="not a gateway id"):
        broker(tmp_path, [name])
    assert list(tmp_path.iterdir()) == []
