"""Migrations are one line: each follows one other, and one alone is the last. Two engineers' branches met well."""

from pathlib import Path

from alembic.script import ScriptDirectory

import rpm.store

FOLDER = Path(rpm.store.__file__).parent / "migrations"


def test_migrations_are_one_line_in_the_order_of_their_numbers() -> None:
    found = list(ScriptDirectory(str(FOLDER)).walk_revisions())
    numbers = [script.revision for script in reversed(found)]
    assert numbers == sorted(numbers), f"{numbers}: each migration follows the one with the number before"
    assert [script.down_revision for script in reversed(found)] == [None, *numbers[:-1]]


def test_each_has_its_sentence_in_a_file_of_sql() -> None:
    scripts = {path.stem for path in (FOLDER / "versions").glob("*.py")}
    assert scripts == {path.stem for path in FOLDER.glob("*.sql")}
