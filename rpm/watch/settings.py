"""What the watcher is told: one TOML file of its own, and nothing from the installation it watches.

name = "Maple Street"                              # stands in every alarm
health_url = "https://clinic.example/health"       # where the pages tell of themselves
health_ca = "/etc/rpm-watch/ca.pem"                # who vouches for them; absent: whom this machine trusts
alarm_urls = ["mailtos://user:secret@mail.example?to=oncall@clinic.example", "ntfys://ntfy.example/clinic"]
state = "/var/lib/rpm-watch/state.json"            # what it remembers over restarts, and `--status` reads
look_every_s = 30
silent_after_s = 180                               # no answer of the pages, no beat of a stage
waiting_after_s = 300                              # what is due at a stage waits for so long
repeat_every_min = 60                              # an alarm, for as long as it stands
ping_url = "https://watchdog.example/ping/abc"     # who watches the watcher: asked after every sound look

[synthetic]                                        # absent: the synthetic patient's pages are not waited for
recipient = "synthetic@watch.example.org"
smtp = "0.0.0.0:2525"                              # they arrive here by SMTP, or
maildir = "/var/mail/synthetic"                    # are put into this Maildir, from where they are taken
every_min = 60                                     # how often the virtual cuff is squeezed
within_min = 5                                     # how long from the alert to the mail
"""

import tomllib
from pathlib import Path
from typing import Annotated, Any, Final, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from rpm.errors import UserError

ALARM_URLS_MAX: Final = 10


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _web(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("must be an address such as https://clinic.example/health")
    _ = parts.port
    return url


def _listening(place: str) -> str:
    host, _, port = place.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65_536:
        raise ValueError("must be an address and a port, e.g. 0.0.0.0:2525")
    return place


WebUrl = Annotated[str, AfterValidator(_web)]


class Synthetic(_Part):
    """How the synthetic patient's pages arrive here, and when they are late."""

    recipient: Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+$")]
    smtp: Annotated[str, AfterValidator(_listening)] | None = None
    maildir: Path | None = None
    every_min: Annotated[float, Field(gt=0, le=24 * 60)] = 60
    within_min: Annotated[float, Field(gt=0, le=24 * 60)] = 5

    @model_validator(mode="after")
    def _one_door(self) -> Self:
        if (self.smtp is None) == (self.maildir is None):
            raise ValueError("say where its mail arrives: smtp or maildir, one of them")
        return self


class WatchSettings(_Part):
    """Everything the watcher is told. Seconds may be fractions: a test does not wait for an hour."""

    name: Annotated[str, Field(min_length=1, max_length=60)]
    health_url: WebUrl
    health_ca: Path | None = None
    alarm_urls: Annotated[tuple[str, ...], Field(min_length=1, max_length=ALARM_URLS_MAX)]
    state: Path
    look_every_s: Annotated[float, Field(gt=0, le=600)] = 30
    silent_after_s: Annotated[float, Field(gt=0, le=24 * 3600)] = 180
    waiting_after_s: Annotated[float, Field(gt=0, le=24 * 3600)] = 300
    repeat_every_min: Annotated[float, Field(gt=0, le=24 * 60)] = 60
    ping_url: WebUrl | None = None
    synthetic: Synthetic | None = None


def read_watch_settings(path: Path) -> WatchSettings:
    """The settings in a file. UserError, one line, where they cannot be read or used."""
    try:
        return WatchSettings.model_validate(tomllib.loads(path.read_text("utf-8")))
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not TOML: {error}") from error
    except ValidationError as error:
        # Without what was given: an alarm's URL holds a password.
        first: Any = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the whole"
        raise UserError(f"{path}, {place}: {first['msg'].removeprefix('Value error, ')}") from error
