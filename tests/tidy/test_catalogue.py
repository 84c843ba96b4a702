"""Every row of the catalogue of devices has a test over the virtual radio that shows what the row says.

Method: a test belongs to a row where its name begins with the row's id. Names are read from the syntax trees of
`tests/radio/test_quirks_*.py`; the rows from the catalogue itself.
"""

import ast
from collections.abc import Iterable
from pathlib import Path

from devices.catalogue import CATALOGUE
from tests.support.tree import ROOT

QUIRKS = sorted((ROOT / "tests/radio").glob("test_quirks_*.py"))


def names_in(paths: Iterable[Path]) -> list[str]:
    return [
        node.name
        for path in paths
        for node in ast.parse(path.read_text("utf-8")).body
        if isinstance(node, ast.AsyncFunctionDef) and node.name.startswith("test_")
    ]


def without_test(ids: Iterable[str], tests: list[str]) -> list[str]:
    return [each for each in ids if not any(name.startswith(f"test_{each.replace('-', '_')}_") for name in tests)]


def test_every_row_of_the_catalogue_is_shown_by_a_test() -> None:
    ids = [row.id for row in CATALOGUE]
    assert without_test(ids, names_in(QUIRKS)) == []
    assert len(set(ids)) == len(ids)
    assert all(row.source and row.remark for row in CATALOGUE)


def test_the_checker_sees_a_row_that_nobody_tests() -> None:
    assert without_test(["beurer-bm", "beurer-bf"], ["test_beurer_bf_hangs_up"]) == ["beurer-bm"]
