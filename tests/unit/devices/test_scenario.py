"""Scenario files: what can be played, and what is refused in one line; and the demonstration made from a practice."""

import random
import tomllib
from datetime import date
from pathlib import Path

import pytest

from devices.virtual.__main__ import main
from devices.virtual.commands import Measure, Prick, Weigh
from devices.virtual.demo_scenario import demo_scenario
from devices.virtual.people import Act, UsualGlucose, UsualPressure, UsualWeight, commands
from devices.virtual.practice import practice
from devices.virtual.scenario import BadScenario, Scenario, read_scenario

HOME = '[[home]]\nname = "a"\n'
CUFF = HOME + '[[home.device]]\nname = "cuff"\nmodel = "cuff"\naddress = "C0:00:00:00:10:01"\n'
PRESSURE = UsualPressure(systolic=134, diastolic=82, pulse=71)


def read(text: str, folder: Path) -> Scenario:
    path = folder / "scenario.toml"
    path.write_text(text)
    return read_scenario(path)


@pytest.mark.parametrize(
    "text, complaint",
    [
        ("", "home: Field required"),
        ("[[home", "is not TOML"),
        (HOME + "hci = 6402", "home.0.hci: Extra inputs are not permitted"),
        (HOME + 'time_zone = "Mars/Olympus"', "there is no time zone 'Mars/Olympus'"),
        (CUFF.replace("C0:", "A0:"), "A0:00:00:00:10:01 is not a random static address"),
        (CUFF.replace('"C0:00:00:00:10:01"', '"cuff"'), "not a Bluetooth address: 'cuff'"),
        (CUFF.replace('model = "cuff"', 'model = "meter"\nclock = "none"'), "a glucose meter stamps every record"),
        (
            CUFF.replace('model = "cuff"', 'model = "captures"'),
            "names one of ['beurer_cuff', 'cuff', 'meter', 'scale']",
        ),
        (CUFF + '[[home.device.play]]\nact = "ordinary"', "an act needs to know what is usual"),
        (CUFF + "[[home.device.play]]\nafter_s = 1", "a play has an act or a command"),
        (CUFF + '[[home.device.play]]\ncommand = {do = "measure", systolic = 120}', "diastolic: Field required"),
        (CUFF + CUFF.removeprefix(HOME), "two devices are called C0:00:00:00:10:01"),
        (HOME + HOME, "two homes are called a"),
    ],
)
def test_what_cannot_be_played_is_refused_in_one_line(text: str, complaint: str, tmp_path: Path) -> None:
    with pytest.raises(BadScenario) as refused:
        read(text, tmp_path)
    assert complaint in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_missing_file_is_one_line_and_exit_status_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["devices.virtual", "air", "--scenario", "/no/such/file.toml"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert capsys.readouterr().err == "cannot read /no/such/file.toml: No such file or directory\n"


def test_the_demonstration_has_three_homes_that_go_on_from_the_practice(tmp_path: Path) -> None:
    made = practice(seed=7, patients=12, days=60, until=date(2026, 11, 22))
    text = demo_scenario(made)
    scenario = read(text, tmp_path)
    assert [(home.name, home.hci_port) for home in scenario.home] == [("a", 6402), ("b", 6403), ("c", 6404)]
    at_home = {device["address"] for device in made["devices"] if device["home"] is not None}
    assert {device.address for home in scenario.home for device in home.device} == at_home
    acts = {play.act for home in scenario.home for device in home.device for play in device.play}
    assert acts == set(Act)
    assert [d.capture for d in scenario.home[2].device if d.capture] == ["cuff", "beurer_cuff", "scale", "meter"]
    first_acts = [
        play.after_s
        for home in scenario.home
        for device in home.device
        for play in device.play
        if play.act in {Act.CRISIS, Act.WEIGHT_GAIN, Act.LOW_GLUCOSE}
    ]
    assert max(first_acts) <= 120, "three minutes from the command to the first alert leave two for the people"
    assert tomllib.loads(text)["seed"] == 7


@pytest.mark.parametrize("seed", range(20))
def test_each_act_shows_what_it_is_for(seed: int) -> None:
    draw = random.Random(seed)
    crisis = commands(Act.CRISIS, PRESSURE, draw)
    shown = [one.command for one in crisis if isinstance(one.command, Measure)]
    assert [(one.systolic, one.diastolic) for one in shown] == [(192, 118), (188, 118)], "one alone would wait"
    assert 0 < crisis[1].after_s - crisis[0].after_s < 60

    usual = UsualWeight(weight=84.2, user_slot=2)
    (gain,) = commands(Act.WEIGHT_GAIN, usual, draw)
    assert isinstance(gain.command, Weigh)
    assert gain.command.kg is not None
    assert 1.36 < gain.command.kg - 84.2 < 2.2, "more than 3 lb, about 4"
    assert gain.command.user_slot == 2

    (in_lb,) = commands(Act.WEIGHT_GAIN, UsualWeight(weight=190, unit="lb"), draw)
    assert isinstance(in_lb.command, Weigh)
    assert in_lb.command.lb == pytest.approx(194, abs=0.3)

    (low,) = commands(Act.LOW_GLUCOSE, UsualGlucose(glucose=118), draw)
    assert isinstance(low.command, Prick)
    assert low.command.mg_dl == 48

    first, second = commands(Act.DOUBLE, PRESSURE, draw)
    assert (first.after_s, second.after_s) == (0, 8)
    assert isinstance(first.command, Measure)
    assert abs(first.command.systolic - 134) <= 4


def test_an_act_that_a_device_cannot_show_is_refused() -> None:
    with pytest.raises(ValueError, match="no act for a device"):
        commands(Act.LOW_GLUCOSE, PRESSURE, random.Random(1))
