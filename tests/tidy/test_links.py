"""Every link and picture in the documentation that leads into this tree arrives."""

import re
from pathlib import Path
from typing import Final

import pytest

from tests.support.provisioning import ROOT
from tests.support.tree import texts

_LINK: Final = re.compile(r"\]\(([^)\s]+)\)")
_ELSEWHERE: Final = ("http://", "https://", "mailto:", "#")

DOCUMENTS: Final = texts(suffixes={".md"})


def inside(text: str) -> list[str]:
    """Where a document's links into this tree lead, without their fragments."""
    return [target.split("#")[0] for target in _LINK.findall(text) if not target.startswith(_ELSEWHERE)]


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_links_lead_somewhere(document: Path) -> None:
    folder = ROOT / document.parent
    assert [target for target in inside(DOCUMENTS[document]) if not (folder / target).exists()] == []


def test_the_front_page_is_among_them_and_links_to_others() -> None:
    assert len(inside(DOCUMENTS[Path("README.md")])) >= 5
