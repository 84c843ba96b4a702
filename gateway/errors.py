"""Errors for the reader who must act.

GatewayError
├── UserError          a person gave something that cannot be used; its text is one line that says what to do
│   └── OutboxRefused  the outbox file is in use, is not an outbox, or was written by a newer program
└── OutboxFailed       the disk is full or failing; one line too where a command meets it
"""


class GatewayError(Exception):
    """Something in the gateway went wrong."""


class UserError(GatewayError):
    """Told to a person as one line on stderr; the process exits with 2."""


class OutboxRefused(UserError):
    """The outbox file cannot be opened by this program."""


class OutboxFailed(GatewayError):
    """The disk is full or failing: nothing of what was asked was done."""
