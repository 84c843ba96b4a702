"""The providers as an integrator runs them: programs of their own, pointed at an installation by the file they print (F118)."""

import signal
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

from alerts.channels import Name
from alerts.channels.book import read_channels
from rpm.settings import Settings
from rpm.store.database import Database
from tests.services.judging import Desk
from tests.services.test_contacts import PHONE, add
from tests.services.test_escalate import crisis, staff_id
from tests.support.providers.server import machine_clock
from tests.support.provisioning import ROOT, free_port
from tests.support.website import Website

WAIT_S = 30.0


@contextmanager
def alone(folder: Path, *options: str) -> Generator[Path]:
    """The providers in a process of their own; what they print."""
    printed = folder / "channels.toml"
    printed.touch(mode=0o600)
    with printed.open("wb") as out:
        command = [sys.executable, "-u", "-m", "tests.support.providers", "--after", "0.2", *options]
        child = subprocess.Popen(command, cwd=ROOT, stdout=out)
    try:
        wait_for(lambda: "Ends with" in printed.read_text("utf-8"), printed)
        yield printed
    finally:
        child.send_signal(signal.SIGINT)
        assert child.wait(timeout=30) == 0


def wait_for(happened: Callable[[], bool], printed: Path) -> None:
    ends = monotonic() + WAIT_S
    while not happened():
        assert monotonic() < ends, printed.read_text("utf-8")
        sleep(0.05)


def test_an_integrator_points_an_installation_at_them(database: Database, tmp_path: Path) -> None:
    """A nurse is texted, and another called, who presses 4: reports and the key come to the pages by themselves."""
    port = free_port()
    pages = f"http://127.0.0.1:{port}"
    with alone(tmp_path, "--pages", pages, "--calls", "4") as printed:
        settings = Settings(dsn=database.dsn, channels_file=printed, public_url=pages)
        desk = Desk(database, now=machine_clock())
        for who, channel in (("nora", Name.SMS), ("ben", Name.VOICE)):
            desk.clinic.staff(who, "nurse")
            add(desk, channel, PHONE, who=who)
        desk.rows("update contact set position = 0 where channel <> 'email' returning id")
        desk.base_url = pages
        desk.channels = read_channels(printed, mail_url="")
        with Website(database, machine_clock, settings=settings, port=port):
            crisis(desk)
            desk.call()
            wait_for(lambda: desk.alerts()[0]["status"] == "acknowledged", printed)
            wait_for(
                lambda: (
                    {
                        row["channel"]
                        for row in desk.rows("select channel from notification where delivered_at > sent_at")
                    }
                    == {"sms", "voice"}
                ),
                printed,
            )
            # They print what the pages answered after the pages did what they were asked.
            for line in ("# twilio: delivered: the pages answer 200", "# twilio: the call says: You have the alert."):
                wait_for(lambda line=line: line in printed.read_text("utf-8"), printed)
        assert desk.alerts()[0]["acknowledged_by"] == staff_id(desk, "ben")


def test_what_they_are_told_wrongly_is_one_line() -> None:
    command = [sys.executable, "-m", "tests.support.providers"]
    for options in (["--calls", "44"], ["--twilio-port", "-1"]):
        ended = subprocess.run([*command, *options], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
        assert ended.returncode == 2
        assert "Traceback" not in ended.stderr
