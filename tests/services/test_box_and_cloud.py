"""The two sides of `schemas.enrolment` together: the box's own program, and the cloud's own pages over HTTPS.

Method: a real database, the pages with a certificate of the installation's authority, `rpm-gateway enrol` as a person types it,
the gateway's own renewal. Each side has its tests alone; here neither is played by a test.
"""

import sys
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.__main__ import main
from gateway.identity.doors import IdentityDoors
from gateway.identity.folder import IdentityFolder
from gateway.identity.renewal import Renewal
from gateway.settings import read_settings
from rpm import claiming
from tests.support.installation import Installation, installation

__all__ = ["installation"]


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Months pass between two looks, and no second; and HTTP's Date is the machine's, which the test's clock is not."""
    monkeypatch.setattr("gateway.identity.renewal.ASK_FIRST_S", 0.0)
    monkeypatch.setattr("gateway.identity.cloud.RENEWAL_SKEW_MAX", timedelta(days=3650))


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "home" / "gateway.toml"


def enrol(config: Path, at: Installation, code: str, monkeypatch: pytest.MonkeyPatch, *options: str) -> int:
    """What a person types, and the exit status."""
    ca = at.folder / "services.crt"
    typed = ["rpm-gateway", "enrol", str(config), "--cloud", at.website.url, "--ca", str(ca), "--code", code]
    monkeypatch.setattr(sys, "argv", [*typed, *options])
    with pytest.raises(SystemExit) as ended:
        main()
    assert isinstance(ended.value.code, int)
    return ended.value.code


def looked_after(folder: IdentityFolder, at: Installation) -> Renewal:
    """The box's own renewal, by the installation's clock."""
    doors = IdentityDoors(folder, gateway_id=at.gateway_id)
    return Renewal(folder=folder, doors=doors, utc_now=at.clock, on_renewed=lambda _not_after: None)


async def test_a_box_enrols_and_renews_for_a_year(
    installation: Installation, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert enrol(config, installation, installation.code().lower(), monkeypatch) == 0
    settings = read_settings(config)
    assert settings.gateway_id == installation.gateway_id
    assert settings.identity is not None
    folder = IdentityFolder(settings.identity.folder)
    renewal = looked_after(folder, installation)
    for number in range(1, 7):
        await renewal.look(now=installation.clock())
        known = folder.known()
        assert known is not None
        assert known.newest == number
        assert renewal.state.trouble is None
        folder.prove(number)
        installation.clock.forward(days=65)
    assert installation.signed() == 6


async def test_a_box_that_was_cut_off_learns_it_and_a_new_code_brings_it_back(
    installation: Installation, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert enrol(config, installation, installation.code(), monkeypatch) == 0
    settings = read_settings(config)
    assert settings.identity is not None
    folder = IdentityFolder(settings.identity.folder)
    with installation.clinic.database.transaction() as connection:
        claiming.revoke(connection, installation.gateway_id, actor=installation.actor, now=installation.clock())
    installation.clock.forward(days=95)
    renewal = looked_after(folder, installation)
    await renewal.look(now=installation.clock())
    assert renewal.state.trouble == "the practice has withdrawn this box's certificate"
    assert enrol(config, installation, installation.code(), monkeypatch, "--again") == 0
    await renewal.look(now=installation.clock())
    assert renewal.state.trouble is None
