"""Rules as this installation can apply them: what the judge is never told cannot be switched on (it would look on, silent)."""

from collections.abc import Sequence
from pathlib import Path

from alerts.layers import Layer, read_layer
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


def read_layers(folder: Path | None, rules: Sequence[Rule]) -> tuple[Layer, ...]:
    """The signed limits of programmes and practices, every TOML file of the folder; none where there is no folder.

    A programme's bears its name as patients have it, a practice's its name. RulesError (one line) where one cannot be read, fits
    no rule, loosens a red without an approval, or speaks for somebody another speaks for.
    """
    if folder is None:
        return ()
    if not folder.is_dir():
        raise RulesError(str(folder), [Fault(0, "there is no such folder")])
    found: dict[tuple[str, str], Layer] = {}
    for path in sorted(folder.glob("*.toml")):
        layer = read_layer(path, rules)
        key = (layer.layer, layer.name.casefold())
        if key in found:
            raise RulesError(str(path), [Fault(0, f"another file speaks for the {layer.layer} {layer.name!r} already")])
        found[key] = layer
    return tuple(found.values())
