"""The installation's plan of who is called, as every program of ours reads it."""

from pathlib import Path

from alerts.escalation import EscalationError, Plan, read_plan
from rpm.errors import UserError


def installation_plan(file: Path) -> Plan:
    """The plan of a file; UserError (one line that names file and field) where it cannot be used."""
    try:
        return read_plan(file)
    except EscalationError as error:
        raise UserError(str(error)) from error
