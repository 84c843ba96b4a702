"""Every feature and every hazard in our tables names a test that exists.

Method: read the Markdown tables whose last column is headed "Test" or "Tests"; each row's last cell holds test ids in
backticks, `tests/tier/test_file.py::test_name`, with or without a parameter in brackets. The named functions are looked
up in the files' syntax trees.
"""

import ast
import re
from functools import cache

import pytest

from tests.support.provisioning import ROOT

TABLES = ("FEATURES.md", "tests/HAZARDS.md")
TEST_ID = re.compile(r"`(tests/[\w/]+\.py)((?:::\w+)+)(?:\[[^`]*\])?`")


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def _rows(text: str) -> list[str]:
    """Rows of the tables whose last column is "Test" or "Tests"."""
    rows: list[str] = []
    inside = False
    for line in text.splitlines():
        if not line.lstrip().startswith("|"):
            inside = False
        elif _cells(line)[-1].lower() in {"test", "tests"}:
            inside = True
        elif inside and not set(line) <= set("|-: "):
            rows.append(line)
    return rows


@cache
def _tests_in(path: str) -> frozenset[str]:
    """Names of the test functions of a file, methods as Class::name."""
    file = ROOT / path
    if not file.is_file():
        return frozenset()
    names: set[str] = set()
    for node in ast.parse(file.read_text("utf-8")).body:
        if isinstance(node, ast.ClassDef):
            names |= {
                f"{node.name}::{inner.name}"
                for inner in node.body
                if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef)
            }
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            # A hypothesis state machine becomes a test by `TestOutbox = Machine.TestCase`.
            names |= {f"{target.id}::runTest" for target in node.targets if isinstance(target, ast.Name)}
    return frozenset(names)


def unkept(text: str) -> list[str]:
    """What is wrong with the rows of a page: no test named, or one that does not exist."""
    wrong: list[str] = []
    for row in _rows(text):
        ids = TEST_ID.findall(_cells(row)[-1])
        if not ids:
            wrong.append(f"names no test: {row}")
        wrong += [f"no such test: {path}{name}" for path, name in ids if name.removeprefix("::") not in _tests_in(path)]
    return wrong


@pytest.mark.parametrize("page", TABLES)
def test_every_row_names_a_test_that_exists(page: str) -> None:
    text = (ROOT / page).read_text("utf-8")
    assert _rows(text), f"{page} has a table whose last column is headed Test"
    assert unkept(text) == []


def test_the_checker_sees_a_row_without_a_test_and_one_whose_test_is_gone() -> None:
    here = "tests/tidy/test_promises.py"
    page = f"""
| Feature | Test |
|---|---|
| kept | `{here}::test_every_row_names_a_test_that_exists[FEATURES.md]` |
| gone | `{here}::test_of_yesterday` |
| elsewhere | `tests/unit/test_of_nothing.py::test_x` |
| never | soon |

| Not a promise | Reason |
|---|---|
| other | none |
"""
    assert unkept(page) == [
        f"no such test: {here}::test_of_yesterday",
        "no such test: tests/unit/test_of_nothing.py::test_x",
        "names no test: | never | soon |",
    ]
