"""One way to the broker: where it is, and how this gateway shows who it is there."""

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pydantic import SecretStr

from gateway.settings import Broker, BrokerPlace


@dataclass(frozen=True, slots=True)
class Door:
    """Where to knock and what to show. `number` tells one certificate from another; 0 where a password is shown."""

    broker: BrokerPlace
    password: SecretStr | None = None
    certificate: Path | None = None
    key: Path | None = None
    number: int = 0

    def context(self) -> ssl.SSLContext | None:
        """What TLS is spoken with; None for a broker on this machine. OSError or ssl.SSLError where a file is spoilt."""
        if not self.broker.tls:
            return None
        context = ssl.create_default_context(cafile=self.broker.ca_file)
        if self.certificate is not None:
            context.load_cert_chain(self.certificate, self.key)
        return context


class Doors(Protocol):
    """Which door is next. Asked before each connection, and told how each ended."""

    def next(self) -> Door:
        """The door of the next connection; GatewayError where there is none."""
        ...

    def opened(self, door: Door) -> None:
        """The broker let this gateway in, and lets it hear its topics."""
        ...

    def refused(self, door: Door, reason: str) -> None:
        """A broker was there and did not let this gateway in."""
        ...


class OneDoor:
    """The door that the settings name, for ever."""

    def __init__(self, broker: Broker) -> None:
        self._door = Door(broker, password=broker.password)

    def next(self) -> Door:
        """Always the same."""
        return self._door

    def opened(self, door: Door) -> None:
        """Nothing follows from it."""

    def refused(self, door: Door, reason: str) -> None:
        """Nothing follows from it: the connection is tried again."""
