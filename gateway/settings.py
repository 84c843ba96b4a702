"""What a home sets: one TOML file. Each field's description is its documentation; `rpm-gateway run --help` points here.

gateway_id = "gw-home-a"
time_zone  = "America/New_York"
outbox     = "outbox.sqlite3"            # relative to this file

[identity]                               # a box enrolled with `rpm-gateway enrol`: the two names above may be left out
folder = "identity"

[broker]                                 # or, on this machine, a broker and a password
url      = "mqtt://127.0.0.1:1883"       # mqtts:// for any other machine
username = "gw-home-a"                   # the gateway id; may be left out
password = "secret"

[radio]
backend = "bluez"                        # or "bumble" with hci = "tcp-client:127.0.0.1:6402"

[[device]]
address = "C0:00:00:00:10:01"
kind    = "blood_pressure"
label   = "cuff in the kitchen"
"""

import re
import ssl
import tomllib
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator

from gateway.errors import UserError
from schemas.codes import Kind
from schemas.ids import Address, GatewayId

#: The only machines an unencrypted connection may go to.
LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
PORTS: Final = {"mqtt": 1883, "mqtts": 8883}
#: A virtual radio's controller: the only kind this program speaks to itself.
HCI: Final = re.compile(r"tcp-client:[^:\s]+:\d{1,5}")
#: A name, not a path.
LAMP: Final = r"^[A-Za-z0-9:_-]{1,64}$"
#: What pydantic says in words of Python, said in words of the file.
PLAINLY: Final = {
    "extra_forbidden": "there is no such setting",
    "tuple_type": "write [[device]], with two brackets, once for each device",
}


class Backend(StrEnum):
    """Which radio bleak speaks through."""

    BLUEZ = "bluez"
    BUMBLE = "bumble"


class _Table(BaseModel):
    #: A misspelt setting is told, not passed over.
    model_config = ConfigDict(frozen=True, extra="forbid")


class BrokerPlace(_Table):
    """Where the broker is, and who vouches for it."""

    url: Annotated[str, Field(description="mqtt://host:port on this machine, mqtts://host:port for any other")]
    ca_file: Annotated[
        Path | None, Field(description="CA certificate of the broker, for mqtts://, relative to the settings file")
    ] = None

    @model_validator(mode="after")
    def _safe(self) -> Self:
        parts = urlsplit(self.url)
        if parts.scheme not in PORTS or not parts.hostname:
            raise ValueError("url must look like mqtt://127.0.0.1:1883 or mqtts://broker.example:8883")
        if parts.username or parts.password:
            raise ValueError("url carries an account: give it as username and password")
        if parts.scheme == "mqtt" and parts.hostname not in LOOPBACK:
            raise ValueError("mqtt:// would carry readings in clear to another machine: use mqtts://")
        _ = self.port
        return self

    @property
    def host(self) -> str:
        """The broker's host name."""
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        """The broker's port; ValueError where the URL's is none."""
        parts = urlsplit(self.url)
        return parts.port or PORTS[parts.scheme]

    @property
    def tls(self) -> bool:
        """Whether the connection is encrypted."""
        return urlsplit(self.url).scheme == "mqtts"


class Broker(BrokerPlace):
    """Where readings go, with a password: for a broker on this machine."""

    username: Annotated[str | None, Field(description="The gateway id: the broker allows each its own topics only")] = (
        None
    )
    password: Annotated[SecretStr, Field(description="This gateway's broker password")]


class Identity(_Table):
    """A box that was enrolled: `rpm-gateway enrol` fills the folder; it says who this box is and where its broker is."""

    folder: Annotated[Path, Field(description="Its key and certificate, relative to the settings file")] = Path(
        "identity"
    )


class Radio(_Table):
    """How devices are heard."""

    backend: Annotated[Backend, Field(description="bluez (this machine's Bluetooth) or bumble (a virtual radio)")] = (
        Backend.BLUEZ
    )
    hci: Annotated[str | None, Field(description="bumble only: where the controller is, tcp-client:127.0.0.1:6402")] = (
        None
    )
    reboot: Annotated[
        bool, Field(description="Reboot this machine when nothing else brings the radio back; needs the right to")
    ] = False

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.backend is Backend.BUMBLE and not self.hci:
            raise ValueError('backend "bumble" needs hci, e.g. hci = "tcp-client:127.0.0.1:6402"')
        if self.hci is not None and not HCI.fullmatch(self.hci):
            raise ValueError('hci must look like "tcp-client:127.0.0.1:6402"')
        return self


class Display(_Table):
    """What the people at home see. Lamps are names below /sys/class/leds; what they mean: gateway/display.py."""

    terminal: Annotated[bool, Field(description="Print a line for each change")] = False
    green: Annotated[str | None, Field(description="The green lamp's name", pattern=LAMP)] = None
    yellow: Annotated[str | None, Field(description="The yellow lamp's name", pattern=LAMP)] = None
    red: Annotated[str | None, Field(description="The red lamp's name", pattern=LAMP)] = None


class OutboxKey(_Table):
    """The key the outbox is encrypted with: 64 hexadecimal digits, from a file or from a command that prints them."""

    file: Annotated[
        Path | None, Field(description="A file that this program's user alone may read, relative to the settings file")
    ] = None
    command: Annotated[
        tuple[str, ...],
        Field(description="A command that prints the key: out of a TPM, or from a server that releases it"),
    ] = ()

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.file is None) == (not self.command):
            raise ValueError("outbox_key needs a file or a command, one of them")
        return self


class Clock(_Table):
    """Who says that this machine's clock is right."""

    synchronised_file: Annotated[
        Path | None,
        Field(
            description="A file that your time service touches when it has set the clock, for this alone to vouch for"
            " it; without it: the kernel, systemd-timesyncd and a clock chip"
        ),
    ] = None


class Consent(_Table):
    """One person's consent on a device that keeps its users apart (User Data Service)."""

    user: Annotated[int, Field(description="The person's place on the device", ge=0, le=254)]
    pin: Annotated[SecretStr, Field(description="The number the device showed when that person was entered, 0-9999")]

    @model_validator(mode="after")
    def _readable(self) -> Self:
        if not re.fullmatch(r"\d{1,4}", self.pin.get_secret_value()):
            raise ValueError("pin must be 1 to 4 digits, in quotation marks")
        return self


class Device(_Table):
    """One device of this home. Any other is never connected to."""

    address: Annotated[Address, Field(description="Its Bluetooth address")]
    kind: Annotated[
        Kind, Field(description="blood_pressure, body_weight, glucose, oxygen_saturation or body_temperature")
    ]
    label: Annotated[str, Field(description="What the people here call it", min_length=1, max_length=64)]
    passkey: Annotated[SecretStr | None, Field(description="The six digits on its label, where it asks for them")] = (
        None
    )
    consent: Annotated[tuple[Consent, ...], Field(description="The people whose readings it may hand over")] = ()

    @model_validator(mode="after")
    def _six_digits(self) -> Self:
        if self.passkey is not None and not re.fullmatch(r"\d{6}", self.passkey.get_secret_value()):
            raise ValueError("passkey must be six digits, in quotation marks")
        return self


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"unknown time zone {name!r}: use a name such as America/New_York") from error
    return name


class Settings(_Table):
    """One home's gateway."""

    gateway_id: Annotated[
        GatewayId, Field(description="This gateway's name at the broker; an enrolled box knows it and leaves it out")
    ]
    time_zone: Annotated[
        str,
        AfterValidator(_known_zone),
        Field(description="The home's IANA time zone, which device clocks show; an enrolled box was told it"),
    ]
    outbox: Annotated[Path, Field(description="The outbox file, relative to the settings file")] = Path(
        "outbox.sqlite3"
    )
    outbox_mb: Annotated[int, Field(description="The most room the outbox takes on the disk", ge=1, le=4096)] = 64
    ring_days: Annotated[int, Field(description="How long receipted readings are kept for a replay", ge=1, le=90)] = 7
    heartbeat_s: Annotated[float, Field(description="Seconds between signs of life", ge=1, le=3600)] = 60.0
    broker: Annotated[Broker | None, Field(description="The broker and a password, where there is no [identity]")] = (
        None
    )
    identity: Annotated[Identity | None, Field(description="This box was enrolled and has a certificate")] = None
    radio: Radio = Radio()
    display: Display = Display()
    clock: Clock = Clock()
    outbox_key: Annotated[OutboxKey | None, Field(description="Encrypt the outbox with this key")] = None
    device: Annotated[tuple[Device, ...], Field(description="The devices enrolled to this gateway")] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.broker is None) == (self.identity is None):
            raise ValueError("give [identity] (an enrolled box), or [broker] with a password: one of the two")
        if self.broker is not None and self.broker.username not in {None, self.gateway_id}:
            raise ValueError("broker.username must be the gateway id: the broker knows a gateway by it")
        addresses = [device.address for device in self.device]
        twice = {address for address in addresses if addresses.count(address) > 1}
        if twice:
            raise ValueError(f"device: {min(twice)} is listed twice")
        return self

    @property
    def outbox_bytes_max(self) -> int:
        """The outbox's cap in bytes."""
        return self.outbox_mb << 20

    @property
    def zone(self) -> ZoneInfo:
        """The home's time zone."""
        return ZoneInfo(self.time_zone)


def read_settings(path: Path, *, to_be: dict[str, str] | None = None) -> Settings:
    """The settings in the TOML file at `path`; UserError with one line that names the field where they cannot be used.

    `to_be`: gateway_id and time_zone of a box that is about to be enrolled, for what is done before that.
    """
    table = read_table(path)
    folder = identity_folder(table, path)
    if to_be is not None:
        table = {**to_be, **table}
    elif folder is not None:
        _fill_in(table, folder, path)
    try:
        settings = Settings.model_validate(table)
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        told = PLAINLY.get(first["type"], first["msg"].removeprefix("Value error, "))
        raise UserError(f"{path}: {field + ': ' if field else ''}{told[:1].lower()}{told[1:]}") from error
    placed: dict[str, object] = {"outbox": path.parent / settings.outbox}
    if settings.outbox_key is not None and settings.outbox_key.file is not None:
        key_file = path.parent / settings.outbox_key.file
        placed["outbox_key"] = settings.outbox_key.model_copy(update={"file": key_file})
    if settings.clock.synchronised_file is not None:
        mark_file = path.parent / settings.clock.synchronised_file
        placed["clock"] = settings.clock.model_copy(update={"synchronised_file": mark_file})
    if folder is not None:
        placed["identity"] = Identity(folder=folder)
    if settings.broker is not None and settings.broker.ca_file is not None:
        ca_file = path.parent / settings.broker.ca_file
        _check_ca(path, ca_file)
        placed["broker"] = settings.broker.model_copy(update={"ca_file": ca_file})
    return settings.model_copy(update=placed)


def read_table(path: Path) -> dict[str, Any]:
    """The TOML file as it stands; UserError where it is none."""
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not TOML: {error}") from error


def identity_folder(table: dict[str, Any], path: Path) -> Path | None:
    """Where the settings at `path` say the identity is; None where they speak of none."""
    if "identity" not in table:
        return None
    try:
        return path.parent / Identity.model_validate(table["identity"]).folder
    except ValidationError as error:
        raise UserError(f'{path}: identity: the one setting is folder, such as folder = "identity"') from error


def _fill_in(table: dict[str, Any], folder: Path, path: Path) -> None:
    """What an enrolled box was told: its name, and its home's zone unless the settings name another."""
    # Only an enrolled box pays for `cryptography`.
    from gateway.identity.folder import enrolled_place

    place = enrolled_place(folder)
    if table.setdefault("gateway_id", place.gateway_id) != place.gateway_id:
        raise UserError(f"{path}: gateway_id: this box was enrolled as {place.gateway_id}: leave the setting out")
    table.setdefault("time_zone", place.time_zone)


def _check_ca(path: Path, ca_file: Path) -> None:
    """UserError where the certificate cannot be used: told now, not at every try to connect."""
    try:
        ssl.create_default_context(cafile=ca_file)
    except ssl.SSLError as error:
        raise UserError(f"{path}: broker.ca_file: {ca_file} holds no CA certificate (PEM)") from error
    except OSError as error:
        raise UserError(f"{path}: broker.ca_file: cannot read {ca_file}: {error.strerror}") from error
