"""The channels of an installation, from a file that only its keeper may read.

    [[channel]]
    name = "sms"

    [[channel.provider]]                      says what it delivered, and brings answers: see `twilio`
    name = "twilio"
    url = "twiliosms://SID:TOKEN@+15550100100/{to}"

    [[channel.provider]]                      asked where the first does not take a message: see `vonage`
    name = "vonage"
    url = "vonagesms://KEY:SECRET@15550100101/{to}?signature=SIGNATURE_SECRET"

    [[channel]]                               calls that hear a key, by two providers: see `twilio`, `sinch`
    name = "voice"
    [[channel.provider]]
    name = "twilio-calls"
    url = "twiliovoice://SID:TOKEN@+15550100100/{to}"
    [[channel.provider]]
    name = "sinch"
    url = "sinchvoice://KEY:SECRET@+15550100102/{to}"

Every other URL is apprise's. E-mail alone needs no file: RPM_MAIL_URL is its provider.
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from stat import S_IRWXO
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from alerts.channels import PROVIDERS_MAX, Channel, ChannelError, Channels, Name, NoChannel
from alerts.channels.carriers import Carrier
from alerts.channels.providers import ByProviders, Provider
from alerts.rulefile import one_line


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Provider(_Model):
    name: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,40}$")]
    url: Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+://")]


class _Channel(_Model):
    name: Name
    providers: Annotated[tuple[_Provider, ...], Field(alias="provider", min_length=1, max_length=PROVIDERS_MAX)]


class _Book(_Model):
    channels: Annotated[tuple[_Channel, ...], Field(alias="channel", min_length=1)]

    @model_validator(mode="after")
    def _one_of_a_name(self) -> Self:
        """What a provider reports, and what it signs with, is known by its name alone."""
        names = [one.name for channel in self.channels for one in channel.providers]
        twice = next((name for place, name in enumerate(names) if name in names[:place]), None)
        if twice is not None:
            raise ValueError(f"two providers are called {twice!r}: give each a name of its own")
        return self


def read_channels(file: Path | None, *, mail_url: str) -> Channels:
    """Every channel an installation can send by. ChannelError (one line, without a secret) where one cannot be used.

    E-mail is there in any case: without a provider it answers that none is set up.
    """
    found: dict[Name, Channel] = {Name.EMAIL: NoChannel("no e-mail is set up: RPM_MAIL_URL is empty")}
    if mail_url:
        if "{to}" not in mail_url:
            raise ChannelError("RPM_MAIL_URL must hold {to} where the recipient goes, e.g. mailto://host:25?to={to}")
        try:
            found[Name.EMAIL] = ByProviders(Name.EMAIL, [Provider("the mail server", mail_url)])
        except ChannelError as error:
            raise ChannelError("RPM_MAIL_URL is not an apprise URL: see github.com/caronc/apprise/wiki") from error
    if file is None:
        return found
    named: set[Name] = set()
    for channel in _read(file).channels:
        if channel.name in named:
            raise ChannelError(f"{file}: channel {channel.name} stands there twice")
        if channel.name is Name.EMAIL and mail_url:
            raise ChannelError(f"{file}: e-mail has RPM_MAIL_URL already: take one of the two out")
        named.add(channel.name)
        try:
            found[channel.name] = ByProviders(channel.name, [_provider(one) for one in channel.providers])
        except ChannelError as error:
            raise ChannelError(f"{file}: {error}") from error
    return found


def read_hooks(file: Path | None) -> Mapping[str, Carrier]:
    """Who reports what was delivered, brings answers or hears keys, by the provider's name. ChannelError as above."""
    if file is None:
        return {}
    given = [one for channel in _read(file).channels for one in channel.providers]
    try:
        providers = [_provider(one) for one in given]
    except ChannelError as error:
        raise ChannelError(f"{file}: {error}") from error
    return {one.name: one.carrier for one in providers if one.carrier is not None}


def _provider(given: _Provider) -> Provider:
    try:
        return Provider(given.name, given.url)
    except ChannelError as error:
        raise ChannelError(f"provider {given.name}: {error}") from error


def _read(file: Path) -> _Book:
    try:
        if file.stat().st_mode & S_IRWXO:
            raise ChannelError(f"{file}: it holds secrets, and everybody may read it: chmod o-rwx")
        given = tomllib.loads(file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ChannelError(f"{file}: cannot be read: {getattr(error, 'strerror', None) or 'not UTF-8'}") from error
    except tomllib.TOMLDecodeError as error:
        raise ChannelError(f"{file}: not TOML: {error}") from error
    try:
        return _Book.model_validate(given)
    except ValidationError as error:
        raise ChannelError(f"{file}: {one_line(error, given)}") from error
