"""Rules and limits as the commands read them: one line and status 2 where they cannot be used."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

from alerts.layers import Layer
from alerts.rulefile import RulesError, read_rules
from alerts.rules import Rule
from rpm.errors import UserError
from rpm.rulebook import read_layers, read_rulebook
from rpm.settings import read_settings


def rulebook_at(file: Path | None = None) -> tuple[Rule, ...]:
    """The rules of a file, or those in force, as the judge would apply them: one that could never speak is refused."""
    with _said():
        return read_rulebook(file or read_settings().rules_file)


def rules_at(file: Path | None = None) -> list[Rule]:
    """The same for trials on files, which know of silence: a rule of `missed` may stand there."""
    with _said():
        return list(read_rules(file or read_settings().rules_file))


def layers_for(rules: Sequence[Rule]) -> tuple[Layer, ...]:
    """The signed limits of programmes and practices."""
    with _said():
        return read_layers(read_settings().limits_folder, rules)


@contextmanager
def _said() -> Generator[None]:
    try:
        yield
    except RulesError as error:
        raise UserError(str(error)) from error
