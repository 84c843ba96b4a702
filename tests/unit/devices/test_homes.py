"""Many homes as a scenario: the same seed gives the same bytes, every trouble occurs, and what is told is what is done."""

from pathlib import Path

import pytest

from devices.virtual.__main__ import main
from devices.virtual.device_clock import ClockMode
from devices.virtual.homes import TROUBLES, homes, scenario, story
from devices.virtual.scenario import Scenario, read_scenario

MANY = 200


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Scenario:
    path = tmp_path_factory.mktemp("homes") / "homes.toml"
    path.write_text(scenario(count=MANY, seed=7))
    return read_scenario(path)


def test_the_same_seed_gives_the_same_bytes_and_more_homes_begin_with_the_same() -> None:
    assert scenario(count=MANY, seed=7) == scenario(count=MANY, seed=7)
    assert scenario(count=MANY, seed=7) != scenario(count=MANY, seed=8)
    few, more = (story(count=count, seed=7).splitlines()[:-1] for count in (20, MANY))
    assert more[:20] == few


def test_two_hundred_homes_can_be_played(many: Scenario) -> None:
    assert len(many.home) == MANY
    addresses = [device.address for home in many.home for device in home.device]
    assert len(set(addresses)) == len(addresses)
    assert all(home.device[0].model == "cuff" for home in many.home)


def test_every_trouble_occurs_and_most_homes_have_none() -> None:
    told = [home.tells for home in homes(count=MANY, seed=7)]
    assert all(len(each) <= 1 for each in told)
    troubled = [each[0] for each in told if each]
    assert MANY / 5 < len(troubled) < MANY / 2
    for sign in ("an hour", "began anew", "no clock", "gives out", "both use", "edge of reach", "bond", "history"):
        assert any(sign in each for each in troubled), sign
    assert len(TROUBLES) == 8


def test_what_is_told_of_a_home_is_what_happens_in_it(many: Scenario) -> None:
    told = {home.name: home for home in homes(count=MANY, seed=7)}
    for spec in many.home:
        tells, cuff = " ".join(told[spec.name].tells), spec.device[0]
        assert ("an hour" in tells) == (abs(cuff.wrong_by_s) == 3600)
        assert ("no clock" in tells) == (cuff.clock is ClockMode.NONE)
        assert ("bond" in tells) == cuff.bonded
        assert ("gives out" in tells) == (cuff.habits.battery_percent == 3)
        assert ("an hour" not in tells) or spec.time_zone != "America/Phoenix"


def test_the_command_writes_both_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out, told = tmp_path / "homes.toml", tmp_path / "homes.txt"
    monkeypatch.setattr(
        "sys.argv", ["devices.virtual", "homes", "--homes", "3", "--out", str(out), "--story", str(told)]
    )
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    assert len(read_scenario(out).home) == 3
    lines = told.read_text().splitlines()
    assert len(lines) == 4
    assert lines[0].startswith("h000001, America/")
    assert lines[-1].endswith("of 3 homes have no trouble at all.")
