"""What an installation may set. Each setting's description is its documentation; a missing one is told with it."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from alerts.pace import SINGLY_MAX
from rpm.errors import UserError

CARE = Path(__file__).parent / "care"
#: Ten years and the leap days in them.
READINGS_DAYS_MIN = 3653


class Settings(BaseSettings):
    """Read from the environment, prefix `RPM_`."""

    model_config = SettingsConfigDict(env_prefix="RPM_", extra="ignore")

    dsn: Annotated[
        str, Field(description="PostgreSQL with TimescaleDB, e.g. postgresql://rpm:secret@127.0.0.1:5432/rpm")
    ] = ""
    broker_url: Annotated[
        str, Field(description="MQTT 5 broker and the worker's account, e.g. mqtt://worker:secret@127.0.0.1:1883")
    ] = ""
    broker_certificate: Annotated[
        Path | None, Field(description="This worker's own certificate (PEM) for the broker; empty: the URL's password")
    ] = None
    broker_key: Annotated[Path | None, Field(description="Its private key (PEM)")] = None
    broker_ca: Annotated[
        Path | None, Field(description="Who vouches for the broker (PEM); empty: whom this machine trusts")
    ] = None
    mail_url: Annotated[
        str, Field(description="Apprise URL that carries e-mail; {to} stands for the recipient. Empty: no e-mail")
    ] = ""
    channels_file: Annotated[
        Path | None,
        Field(description="Channels besides e-mail and their providers (TOML; it holds secrets). Empty: e-mail alone"),
    ] = None
    messages_singly_max: Annotated[
        int,
        Field(
            description="Messages to one contact within five minutes before one message tells of all that wait",
            ge=1,
            le=1_000_000,
        ),
    ] = SINGLY_MAX
    public_url: Annotated[
        str,
        Field(
            description="Where people reach the pages, http:// or https://; messages link here",
            pattern=r"^https?://[^\s/]+",
        ),
    ] = "http://127.0.0.1:8080"
    web_host: Annotated[str, Field(description="Address the pages are served on")] = "127.0.0.1"
    web_port: Annotated[int, Field(description="Port the pages are served on", ge=1, le=65535)] = 8080
    web_certificate: Annotated[
        Path | None, Field(description="Certificate chain (PEM) of the pages; empty: a proxy speaks TLS before them")
    ] = None
    web_key: Annotated[Path | None, Field(description="Its private key (PEM)")] = None
    ca_folder: Annotated[
        Path | None,
        Field(description="What `rpm-cloud ca make` made: this process signs certificates. Empty: it signs none"),
    ] = None
    gateway_broker_url: Annotated[
        str,
        Field(
            description="Where gateways reach the broker, e.g. mqtts://broker.example.org:8883",
            pattern=r"^(mqtts://[^\s/@]+:\d+)?$",
        ),
    ] = ""
    gateway_grant_wait_s: Annotated[
        float,
        Field(description="Seconds a box's first answer waits for the broker's guard to let it in", ge=0, le=10),
    ] = 5.0
    gateway_broker_ca: Annotated[
        Path | None,
        Field(description="Who vouches for the broker to gateways (PEM); empty: services.crt of RPM_CA_FOLDER"),
    ] = None
    box_silent_hours: Annotated[
        float, Field(description="Hours without a word from a box until support is told", ge=1, le=336)
    ] = 24
    readings_missed_days: Annotated[
        float, Field(description="Days without a reading of a patient until support is told", ge=1, le=60)
    ] = 3
    keep_raw_days: Annotated[
        int,
        Field(
            description="Days for which messages are kept as they came: a year in which a claim may be filed, and a month",
            ge=30,
        ),
    ] = 400
    keep_readings_days: Annotated[
        int,
        Field(description="Days for which readings are kept; 0: for ever. No less than ten years: bills rest on them"),
    ] = 0
    keep_events_days: Annotated[
        int, Field(description="Days for which is kept what boxes tell of themselves and of devices", ge=30)
    ] = 400
    rules_file: Annotated[Path, Field(description="Alert rules (TOML)")] = CARE / "rules.toml"
    limits_folder: Annotated[
        Path | None,
        Field(description="Folder of signed limits of care programmes and practices (*.toml). Empty: the rules' own"),
    ] = None
    escalation_file: Annotated[Path, Field(description="Escalation policies and rotas (TOML)")] = (
        CARE / "escalation.toml"
    )

    @field_validator("keep_readings_days")
    @classmethod
    def _ten_years(cls, days: int) -> int:
        """A bill may be audited for ten years (42 CFR 422.504(d); seven elsewhere)."""
        if days and days < READINGS_DAYS_MIN:
            raise ValueError(f"0 (for ever) or at least {READINGS_DAYS_MIN} days: bills rest on readings for ten years")
        return days

    def require(self, *names: str) -> "Settings":
        """Self, or a UserError that names the first setting missing and how to give it."""
        for name in names:
            if not getattr(self, name):
                description = type(self).model_fields[name].description
                raise UserError(f"RPM_{name.upper()} is not set: {description}")
        return self


def read_settings() -> Settings:
    """The settings of this process; UserError with one line where one is wrong."""
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = "_".join(str(part) for part in first["loc"]).upper()
        raise UserError(f"RPM_{name} is wrong: {first['msg']}") from error
