"""Rules as this installation can apply them: what the judge is never told cannot be switched on (it would look on, silent)."""

from pathlib import Path

from alerts.rulefile import Fault, RulesError, read_rules
from alerts.rules import Rule


def read_rulebook(path: Path) -> tuple[Rule, ...]:
    """The rules of a file. RulesError (one line) where it cannot be read or used, or where a rule could never speak here."""
    return speaking(read_rules(path), name=str(path))


def speaking(rules: tuple[Rule, ...], *, name: str) -> tuple[Rule, ...]:
    """The same rules. RulesError, which calls them `name`, where one of them could never speak here."""
    faults = [Fault(0, f"rule {rule.id!r}, {why}") for rule in rules if (why := cannot_speak(rule))]
    if faults:
        raise RulesError(name, faults)
    return rules


def cannot_speak(rule: Rule) -> str | None:
    """Why a rule would never find anything here; None where it may.

    The judge looks at a patient when a reading has come, so of silence it never hears; that is told by the `silence` loop.
    """
    if rule.missed is not None:
        return (
            "missed: silence is told by the server itself, after three days (Faults), not by rules; take the rule out"
        )
    return None
