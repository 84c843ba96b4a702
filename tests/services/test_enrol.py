"""`rpm-gateway enrol` against an HTTPS server that keeps the protocol's rules, and breaks what a test says.

What a person can mend is one line that says what to do; and whatever was cut off in between, the same code brings the same
box its certificate.
"""

import socket
import stat
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import time_machine

from gateway.__main__ import main
from gateway.identity.folder import IdentityFolder
from gateway.settings import read_settings
from schemas.enrolment import RefusalReason
from tests.support.certifier import Authority, Certifier, HttpsServer

CODE = "7K2M-9QXA-B3TD-01ZE"
TYPED = "7k2m 9qxa b3td o1ze"


@pytest.fixture
def clinic() -> Authority:
    """The practice's own CA, for its servers."""
    return Authority("Clinic CA", begins=datetime.now(UTC) - timedelta(days=3000))


@pytest.fixture
def certifier(clinic: Authority) -> Certifier:
    return Certifier(Authority("gateways"), clinic.pem, "mqtts://127.0.0.1:8883", {CODE: "gw-home-a"})


@pytest.fixture
def cloud(tmp_path: Path, clinic: Authority, certifier: Certifier) -> Iterator[HttpsServer]:
    with HttpsServer(certifier, *clinic.certify_server(tmp_path, "web", "127.0.0.1")) as server:
        yield server


class Box:
    """One box, on which a person types."""

    def __init__(self, folder: Path, ca: Path, typed: Callable[..., tuple[int, str, str]]) -> None:
        self.config, self.ca, self._typed = folder / "home" / "gateway.toml", ca, typed
        self.config.parent.mkdir()

    @property
    def identity(self) -> IdentityFolder:
        return IdentityFolder(self.config.parent / "identity")

    def enrol(self, url: str, *options: str, code: str = CODE) -> tuple[int, str, str]:
        """Exit status, stdout, stderr."""
        return self._typed("enrol", str(self.config), "--cloud", url, "--ca", str(self.ca), "--code", code, *options)


@pytest.fixture
def box(tmp_path: Path, clinic: Authority, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Box:
    def typed(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["rpm-gateway", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return ended.value.code, out, err

    return Box(tmp_path, clinic.write(tmp_path, "ca.pem"), typed)


def one_line(told: tuple[int, str, str]) -> str:
    status, out, err = told
    assert (status, out) == (2, "")
    assert err.startswith("rpm-gateway: ")
    assert err.count("\n") == 1
    assert CODE not in err
    return err


def test_a_box_just_unpacked_is_enrolled_and_ready_to_run(box: Box, cloud: HttpsServer, certifier: Certifier) -> None:
    status, out, err = box.enrol(cloud.url, code=TYPED)
    assert (status, err) == (0, "")
    assert "gw-home-a" in out
    settings = read_settings(box.config)
    assert (settings.gateway_id, settings.time_zone, settings.broker) == ("gw-home-a", "America/New_York", None)
    assert settings.identity is not None
    assert settings.identity.folder == box.identity.path
    known = box.identity.known()
    assert known is not None
    pair = box.identity.pair(known.newest)
    assert stat.S_IMODE(pair.key.stat().st_mode) == 0o600
    assert (pair.place.broker_url, pair.place.cloud) == ("mqtts://127.0.0.1:8883", cloud.url)
    assert pair.cloud_ca is not None
    assert pair.cloud_ca.read_text("utf-8") == box.ca.read_text("utf-8")
    key = pair.key.read_text("utf-8").splitlines()[1]
    assert all(key not in asked.model_dump_json() for asked in certifier.enrolled), "the key never leaves the box"


def test_state_may_lie_elsewhere_and_devices_already_named_stay(box: Box, cloud: HttpsServer, tmp_path: Path) -> None:
    assert box.enrol(cloud.url, "--state", str(tmp_path / "var"))[0] == 0
    settings = read_settings(box.config)
    assert settings.outbox == tmp_path / "var" / "outbox.sqlite3"
    assert settings.identity is not None
    assert settings.identity.folder == tmp_path / "var" / "identity"


def test_a_home_already_described_keeps_its_settings(box: Box, cloud: HttpsServer) -> None:
    text = '[identity]\nfolder = "who"\n[[device]]\naddress = "C0:00:00:00:10:01"\nkind = "glucose"\nlabel = "meter"\n'
    box.config.write_text(text, "utf-8")
    assert "has no certificate yet" in one_line(box._typed("outbox", str(box.config)))
    assert box.enrol(cloud.url)[0] == 0
    assert box.config.read_text("utf-8") == text
    assert [device.label for device in read_settings(box.config).device] == ["meter"]


def test_a_lost_answer_costs_nothing_but_a_second_try(box: Box, cloud: HttpsServer, certifier: Certifier) -> None:
    certifier.lose_answers = 2
    for _ in range(2):
        assert "hung up before it had answered: try again" in one_line(box.enrol(cloud.url))
    assert box.enrol(cloud.url)[0] == 0
    assert len(certifier.enrolled) == 3
    assert len(certifier.given) == 1, "one code, one certificate"


def test_a_code_that_another_box_used_is_of_no_use(box: Box, cloud: HttpsServer, certifier: Certifier) -> None:
    certifier.lose_answers = 1
    box.enrol(cloud.url)
    (box.identity.path / "1" / "key.pem").unlink()  # as on another box
    assert "ask the practice for a new one" in one_line(box.enrol(cloud.url))


@pytest.mark.parametrize("reason", RefusalReason)
def test_every_refusal_says_what_to_do(
    box: Box, cloud: HttpsServer, certifier: Certifier, reason: RefusalReason
) -> None:
    certifier.refuse = reason
    told = one_line(box.enrol(cloud.url))
    assert any(what in told for what in ("ask the practice", "wait", "older than the other", "withdrawn", "try again"))
    assert not box.config.exists()
    certifier.refuse = None
    assert box.enrol(cloud.url)[0] == 0


@pytest.mark.parametrize(
    "instead, told",
    [
        ((200, b"<html>"), "not as this program's cloud does"),
        ((200, b"{}"), "not as this program's cloud does"),
        ((404, b"Not Found"), "answers 404: is that the practice's address?"),
        ((301, b""), "answers 301"),
        ((502, b"x" * 200_000), "answers 502"),
    ],
)
def test_whoever_else_answers_is_told_apart(
    box: Box, cloud: HttpsServer, certifier: Certifier, instead: tuple[int, bytes], told: str
) -> None:
    certifier.instead = instead
    assert told in one_line(box.enrol(cloud.url))


def test_a_certificate_for_somebody_else_is_not_installed(box: Box, cloud: HttpsServer, certifier: Certifier) -> None:
    assert box.enrol(cloud.url)[0] == 0
    answer = certifier.given[0].model_dump_json().encode()
    certifier.instead = (200, answer)
    assert "not a certificate for this box's key" in one_line(box.enrol(cloud.url, "--again"))
    assert read_settings(box.config).gateway_id == "gw-home-a"


def test_addresses_and_files_that_cannot_be(box: Box) -> None:
    for url in ("http://clinic.example", "clinic.example", "https://", "https://u:p@clinic.example", "https://c:99999"):
        assert "the cloud's address" in one_line(box.enrol(url))
    box.ca.write_text("nothing", "utf-8")
    assert "holds no CA certificate" in one_line(box.enrol("https://clinic.example"))
    box.ca.unlink()
    assert "cannot read" in one_line(box.enrol("https://clinic.example"))


def test_a_code_that_cannot_be_one_is_not_even_asked(box: Box, cloud: HttpsServer, certifier: Certifier) -> None:
    status, _out, err = box.enrol(cloud.url, code="1234")
    assert (status, certifier.enrolled) == (2, [])
    assert "16 letters and digits" in err


def test_nobody_there_and_nobody_of_that_name(box: Box) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        assert "cannot be reached: Connection refused" in one_line(box.enrol(f"https://127.0.0.1:{port}"))
    assert "is the address right, and this box on the internet?" in one_line(box.enrol("https://clinic.invalid"))


def test_a_server_that_says_nothing_is_left(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.identity.cloud.WAIT_S_MAX", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert "does not answer" in one_line(box.enrol(f"https://127.0.0.1:{silent.getsockname()[1]}"))


def test_a_cloud_of_another_ca_is_not_told_the_code(box: Box, cloud: HttpsServer, certifier: Certifier) -> None:
    Authority("Clinic CA").write(box.ca.parent, box.ca.name)  # the same name, another key
    assert "give the practice's own CA with --ca" in one_line(box.enrol(cloud.url))
    assert certifier.enrolled == []


def test_a_cloud_of_another_name_is_not_told_the_code(box: Box, cloud: HttpsServer, certifier: Certifier) -> None:
    assert "certified for another name" in one_line(box.enrol(f"https://localhost:{cloud.port}"))
    assert certifier.enrolled == []


@pytest.mark.parametrize("days, told", [(-2, "not come yet"), (30, "is over")])
def test_a_wrong_clock_is_named(
    tmp_path: Path, clinic: Authority, certifier: Certifier, box: Box, days: int, told: str
) -> None:
    """OpenSSL reads the machine's clock, which a test cannot turn: the certificate is turned instead."""
    begins = datetime.now(UTC) - timedelta(days=days)
    pair = clinic.certify_server(tmp_path, "web", "127.0.0.1", begins=begins, life=timedelta(days=1))
    with HttpsServer(certifier, *pair) as server, time_machine.travel(datetime(2026, 5, 1, 12, tzinfo=UTC), tick=True):
        err = one_line(box.enrol(server.url))
    assert told in err
    assert "by this box's clock, 2026-05-01 12:00 UTC: is the clock right?" in err


def test_a_box_is_enrolled_once_and_anew_only_where_somebody_says_so(
    box: Box, cloud: HttpsServer, certifier: Certifier
) -> None:
    assert box.enrol(cloud.url)[0] == 0
    assert "--again enrols it anew" in one_line(box.enrol(cloud.url))
    certifier.codes["7K2M-9QXA-B3TD-02ZE"] = "gw-home-b"
    assert box.enrol(cloud.url, "--again", code="7K2M-9QXA-B3TD-02ZE")[0] == 0
    assert read_settings(box.config).gateway_id == "gw-home-b"
    (box.identity.path / "state.json").write_bytes(b"\0\0")
    assert "enrol this box anew" in one_line(box.enrol(cloud.url))
    certifier.codes["7K2M-9QXA-B3TD-03ZE"] = "gw-home-c"
    assert box.enrol(cloud.url, "--again", code="7K2M-9QXA-B3TD-03ZE")[0] == 0
    assert read_settings(box.config).gateway_id == "gw-home-c"
    box.config.write_text(f'gateway_id = "gw-home-x"\n{box.config.read_text("utf-8")}', "utf-8")
    assert "was enrolled as gw-home-c" in one_line(box._typed("outbox", str(box.config)))


def test_a_home_with_a_password_is_told_how_to_change(box: Box, cloud: HttpsServer) -> None:
    box.config.write_text('[broker]\nurl = "mqtt://127.0.0.1"\npassword = "x"\n', "utf-8")
    assert "has no [identity]" in one_line(box.enrol(cloud.url))
    box.config.write_text("[identity]\nfolder = 5\n", "utf-8")
    assert "identity: the one setting is folder" in one_line(box.enrol(cloud.url))
