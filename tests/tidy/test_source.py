"""Properties of the source tree that no compiler holds.

Method: read every file that git has or would get. Each rule names what it is for; words that would find themselves in
this file are written in two halves.
"""

import ast
import re
import sys
from pathlib import Path

import pytest

from schemas.codes import BLOOD_PRESSURE_PANEL_LOINC, CODES
from tests.support.provisioning import ROOT
from tests.support.tree import PACKAGES, lines_matching, texts

LINES_MAX = 350
SOURCE = {".py", ".sql", ".html", ".js", ".toml"}
#: A host of this kind in a source list, or in pip's or npm's settings, is this machine's business.
HOST = re.compile(r"https?://(?:[^/@\s]*@)?([a-z0-9-]+(?:\.[a-z0-9-]+)+)", re.IGNORECASE)


def test_a_module_can_be_read_in_one_sitting() -> None:
    long = [
        f"{path}: {text.count(chr(10))} lines"
        for path, text in texts(suffixes={".py"}).items()
        if text.count("\n") > LINES_MAX
    ]
    assert long == []


def test_codes_have_one_home() -> None:
    """iomt-fhir spelled heart rate's LOINC code as diastolic's; a code that stands once cannot disagree with itself."""
    loinc = {number for code in CODES for number in code.loinc.values()} | {BLOOD_PRESSURE_PANEL_LOINC}
    mdc = {str(code.mdc) for code in CODES if code.mdc is not None}
    found = texts(below=PACKAGES, suffixes=SOURCE)
    del found[Path("schemas/codes.py")]
    assert lines_matching(found, rf"(?<![\w.-])({'|'.join(sorted(loinc | mdc))})(?![\w-])") == []
    # A code nobody has put into the table yet has the same shape.
    assert lines_matching(found, r"""["']\d{4,5}-\d["']""") == []


def test_no_statement_asks_the_server_for_the_time() -> None:
    found = {
        path: re.sub(r"--[^\n]*", "", text)
        for path, text in texts(below=("rpm",), suffixes={".sql"}).items()
        if path.parent.name in {"queries", "migrations"}
    }
    assert found, "there are statements to look at"
    clocks = r"\b(now|clock_timestamp|statement_timestamp|transaction_timestamp|timeofday)\s*\(|\b(current_(timestamp|date|time)|localtime(stamp)?)\b"
    assert lines_matching(found, clocks, flags=re.IGNORECASE) == []


def test_nothing_is_left_for_later() -> None:
    words = "|".join(["TO" + "DO", "FIX" + "ME", "X" + "XX", "HA" + "CK"])
    assert lines_matching(texts(), rf"\b({words})\b") == []


def test_no_test_is_excused() -> None:
    excuses = "|".join(["ski" + "p", "skip" + "if", "x" + "fail", "import" + "orskip"])
    assert (
        lines_matching(texts(suffixes={".py"}), rf"\bpytest\.(mark\.)?({excuses})\b|\braise\s+(unittest\.)?Skip") == []
    )


def test_no_callback_swallows_its_error() -> None:
    """paho then acknowledges what the handler lost (measured: 1 of 1)."""
    assert lines_matching(texts(suffixes={".py"}), "suppress_" + "exceptions") == []


def _hosts_of_this_machine() -> set[str]:
    """Where this machine gets packages, as its own settings name it."""
    home = Path.home()
    settings = [
        *Path("/etc/apt").glob("sources.list"),
        *Path("/etc/apt/sources.list.d").glob("*"),
        Path("/etc/pip.conf"),
        *Path("/etc/xdg/pip").glob("pip.conf"),
        home / ".pip/pip.conf",
        home / ".config/pip/pip.conf",
        home / ".npmrc",
        Path("/etc/npmrc"),
    ]
    found: set[str] = set()
    for path in settings:
        if path.is_file():
            found.update(HOST.findall(path.read_text("utf-8", errors="replace")))
    return {host.lower() for host in found if not host.startswith("127.")}


def test_no_file_names_a_registry_or_a_path_of_a_machine() -> None:
    registries = {"pypi." + "org", "python" + "hosted.org", "npm" + "js.org", "npm" + "js.com", "deb.debian" + ".org"}
    hosts = "|".join(re.escape(host) for host in sorted(registries | _hosts_of_this_machine()))
    paths = "|".join(["/wo" + "rk/", "/ro" + "ot/", "/home/[a-z]"])
    assert lines_matching(texts(), rf"{hosts}|(?<![\w.}}])({paths})") == []


def test_the_vocabulary_stands_on_pydantic_alone() -> None:
    allowed = {"schemas", "pydantic", *sys.stdlib_module_names}
    strange: list[str] = []
    for path, text in texts(below=("schemas",), suffixes={".py"}).items():
        for node in ast.walk(ast.parse(text)):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            strange += [f"{path}: {name}" for name in names if name.partition(".")[0] not in allowed]
    assert strange == []


@pytest.mark.parametrize("folder", [*PACKAGES, "deploy"])
def test_a_package_says_what_it_does_not_promise(folder: str) -> None:
    readme = ROOT / folder / "README.md"
    assert readme.is_file(), f"{folder}/README.md: what it is, its decisions, and what it does not promise"
    headings = re.findall(r"^#+ (.+)$", readme.read_text("utf-8"), re.MULTILINE)
    assert headings[-1:] == ["Not promised"], f"{folder}/README.md ends in {headings[-1:]}"
