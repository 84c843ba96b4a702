"""Errors for the reader who must act.

RpmError
└── UserError   a person gave something that cannot be used; its text is one line that says what to do
"""


class RpmError(Exception):
    """Something in the cloud went wrong."""


class UserError(RpmError):
    """Told to a person as one line on stderr; the process exits with 2."""
