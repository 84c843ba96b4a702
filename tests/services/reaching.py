"""Nora, reached by providers of texts or calls: the file that names them, and the desk that asks them first."""

from pathlib import Path

from alerts.channels import Name
from alerts.channels.book import read_channels
from rpm.store.database import Database
from tests.services.judging import Desk
from tests.services.test_contacts import PHONE, add
from tests.support.clock import MORNING

MAIL = "nora@clinic.example"


def channels_file(folder: Path, channel: Name, **providers: str) -> Path:
    """A channels file with one channel; `providers`: name → URL, in the order in which they are asked."""
    lines = [f'[[channel.provider]]\nname = "{name}"\nurl = "{url}"' for name, url in providers.items()]
    found = folder / "channels.toml"
    found.write_text("\n".join([f'[[channel]]\nname = "{channel}"', *lines]))
    found.chmod(0o600)
    return found


def desk_that_reaches_nora(database: Database, channel: Name, file: Path) -> Desk:
    """Nora is reached by this channel first, then written to; Ada is next. What goes out really goes to the provider."""
    desk = Desk(database, now=MORNING)
    desk.clinic.staff("nora", "nurse")
    desk.clinic.staff("ada", "admin")
    add(desk, channel, PHONE)
    desk.rows("update contact set position = 0 where channel = %(channel)s returning id", channel=channel)
    desk.channels = {**desk.channels, channel: read_channels(file, mail_url="")[channel]}
    return desk
