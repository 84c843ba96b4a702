"""A home's settings: what is right is read, what is wrong is one line that names the field."""

import re
from pathlib import Path

import pytest

from gateway.enrolment import Enrolment
from gateway.errors import UserError
from gateway.settings import Backend, Settings, read_settings
from schemas.codes import Kind

GOOD = """
gateway_id = "gw-home-a"
time_zone = "America/New_York"
outbox = "kept/outbox.sqlite3"

[broker]
url = "mqtt://127.0.0.1:18830"
username = "gw-home-a"
password = "secret"

[radio]
backend = "bumble"
hci = "tcp-client:127.0.0.1:6402"

[[device]]
address = "c0:00:00:00:10:01"
kind = "blood_pressure"
label = "cuff in the kitchen"
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "home.toml"
    path.write_text(text)
    return path


def test_a_home_is_read(tmp_path: Path) -> None:
    settings = read_settings(write(tmp_path, GOOD))
    assert settings.gateway_id == "gw-home-a"
    assert settings.outbox == tmp_path / "kept" / "outbox.sqlite3"
    assert settings.broker is not None
    assert (settings.broker.host, settings.broker.port, settings.broker.tls) == ("127.0.0.1", 18830, False)
    assert settings.radio.backend is Backend.BUMBLE
    enrolment = Enrolment(settings.device)
    found = enrolment.find("c0:00:00:00:10:01")
    assert found is not None
    assert (found.slot, found.kind, found.label) == (1, Kind.BLOOD_PRESSURE, "cuff in the kitchen")
    assert enrolment.find("C0:00:00:00:10:02") is None
    assert "secret" not in repr(settings)


@pytest.mark.parametrize(
    "before, after, told",
    [
        ('gateway_id = "gw-home-a"', 'gateway_id = "home/+"', "gateway_id: string should match"),
        ('gateway_id = "gw-home-a"\n', "", "gateway_id: field required"),
        ("America/New_York", "America/Newyork", "time_zone: unknown time zone 'America/Newyork'"),
        ("America/New_York", "../etc/passwd", "time_zone: unknown time zone"),
        ("mqtt://127.0.0.1:18830", "mqtt://broker.example:1883", "in clear to another machine: use mqtts://"),
        ("mqtt://127.0.0.1:18830", "http://127.0.0.1", "broker: url must look like mqtt://"),
        ("mqtt://127.0.0.1:18830", "mqtt://127.0.0.1:99999", "broker: port out of range"),
        ("mqtt://127.0.0.1:18830", "mqtt://me:secret@127.0.0.1", "url carries an account"),
        ('username = "gw-home-a"', 'username = "worker"', "broker.username must be the gateway id"),
        ('password = "secret"', "", "broker.password: field required"),
        ('hci = "tcp-client:127.0.0.1:6402"', "", 'backend "bumble" needs hci'),
        ("bumble", "nimble", "radio.backend: input should be 'bluez' or 'bumble'"),
        ("c0:00:00:00:10:01", "kitchen", "device.0.address: not a Bluetooth address"),
        ('kind = "blood_pressure"', 'kind = "toothbrush"', "device.0.kind: input should be"),
        ("gateway_id =", "gatewayid =", "gateway_id: field required"),
        ("[radio]", "colour = 3\n[radio]", "broker.colour: there is no such setting"),
        ("[[device]]", "[device]", "device: write [[device]], with two brackets"),
        ("tcp-client:127.0.0.1:6402", "nonsense:1", 'hci must look like "tcp-client:127.0.0.1:6402"'),
        ("tcp-client:127.0.0.1:6402", "tcp-client:127.0.0.1", 'hci must look like "tcp-client:127.0.0.1:6402"'),
        ("[radio]", 'ca_file = "nope.pem"\n[radio]', "nope.pem: No such file"),
        ("[radio]", 'ca_file = "home.toml"\n[radio]', "home.toml holds no CA certificate"),
        ("[radio]", "[radio", "is not TOML"),
    ],
)
def test_what_is_wrong_is_one_line_that_names_the_field(tmp_path: Path, before: str, after: str, told: str) -> None:
    assert before in GOOD
    with pytest.raises(UserError) as caught:
        read_settings(write(tmp_path, GOOD.replace(before, after, 1)))
    text = str(caught.value)
    assert told in text
    assert "\n" not in text
    assert "secret" not in text


def test_one_device_is_enrolled_once(tmp_path: Path) -> None:
    twice = GOOD + GOOD[GOOD.index("[[device]]") :].replace("c0", "C0")
    with pytest.raises(UserError, match="C0:00:00:00:10:01 is listed twice"):
        read_settings(write(tmp_path, twice))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot read .*nowhere.toml: No such file"):
        read_settings(tmp_path / "nowhere.toml")


@pytest.mark.parametrize(
    "instead, told",
    [
        ("", "give [identity] (an enrolled box), or [broker] with a password"),
        ('[identity]\nfolder = "identity"\n', "has no certificate yet"),
    ],
)
def test_a_home_has_a_password_or_an_identity(tmp_path: Path, instead: str, told: str) -> None:
    before, _, rest = GOOD.partition("[broker]")
    text = before + instead + "[" + rest.partition("\n[")[2]
    with pytest.raises(UserError, match=re.escape(told)):
        read_settings(write(tmp_path, text))


def test_the_readme_shows_settings_that_work(tmp_path: Path) -> None:
    readme = (Path(__file__).parents[3] / "gateway" / "README.md").read_text()
    shown = readme.split("```toml\n")[1].split("```")[0]
    settings = read_settings(write(tmp_path, shown))
    top_level = {name for name in Settings.model_fields if f"{name} = " in shown}
    assert top_level == set(Settings.model_fields) - {
        *("broker", "identity", "radio", "display", "clock", "outbox_key", "device")
    }, "every setting is shown"
    assert (settings.outbox_mb, settings.ring_days, settings.heartbeat_s) == (64, 7, 60)
