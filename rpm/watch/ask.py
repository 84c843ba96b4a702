"""Asking the pages how they are, and telling a dead-man service that the watcher lives: plain HTTP, bounded."""

import http.client
import ssl
from contextlib import closing
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from pydantic import ValidationError

from rpm.errors import UserError
from rpm.health import Health
from rpm.watch.judge import Answer, Look

#: A page that answers later is no help at night.
WAIT_S_MAX: Final = 10.0
ANSWER_BYTES_MAX: Final = 65_536


def trust(ca_file: Path | None) -> ssl.SSLContext:
    """Whom this watcher believes. UserError where the file is none."""
    try:
        return ssl.create_default_context(cafile=ca_file)
    except ssl.SSLError as error:
        raise UserError(f"health_ca: {ca_file} holds no CA certificate (PEM)") from error
    except OSError as error:
        raise UserError(f"health_ca: cannot read {ca_file}: {error.strerror}") from error


def get(url: str, context: ssl.SSLContext) -> tuple[int, bytes] | None:
    """Status and body of one GET; None where nobody answers. No redirect is followed."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    connection = (
        http.client.HTTPSConnection(parts.hostname, parts.port, timeout=WAIT_S_MAX, context=context)
        if parts.scheme == "https"
        else http.client.HTTPConnection(parts.hostname, parts.port, timeout=WAIT_S_MAX)
    )
    with closing(connection):
        try:
            connection.request("GET", path, headers={"Accept": "application/json", "User-Agent": "rpm-cloud watch"})
            answer = connection.getresponse()
            return answer.status, answer.read(ANSWER_BYTES_MAX)
        except (OSError, http.client.HTTPException):
            return None


def look(url: str, context: ssl.SSLContext) -> Look:
    """How the pages say they are."""
    answered = get(url, context)
    if answered is None:
        return Look(Answer.NONE)
    status, body = answered
    if status == http.client.OK:
        try:
            return Look(Answer.TOLD, Health.model_validate_json(body))
        except ValidationError:
            return Look(Answer.NONE)
    return Look(Answer.NO_DATABASE if status == http.client.SERVICE_UNAVAILABLE else Answer.NONE)


def ping(url: str, context: ssl.SSLContext) -> bool:
    """Whether the dead-man service took the sign of life."""
    answered = get(url, context)
    return answered is not None and answered[0] < http.client.BAD_REQUEST
