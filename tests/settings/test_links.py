"""Every link between the documents leads to a file, and to a heading of it."""

import re
from pathlib import Path

import pytest

BASE = Path(__file__).resolve().parents[2]
DOCUMENTS = [*BASE.glob("*.md"), *(BASE / "docs").glob("*.md"), *BASE.glob("protocol/**/*.md")]
DOCUMENTS += [BASE / "bench/README.md", BASE / "tests/README.md", *(BASE / "sdks").glob("*/README.md")]
CODE = re.compile(r"^\s*```.*?^\s*```", re.DOTALL | re.MULTILINE)


def prose(document: Path) -> str:
    return CODE.sub("", document.read_text())


def anchors(document: Path) -> list[str]:
    """The anchors that GitHub gives to headings."""
    headings = re.findall(r"^#+ (.+)$", prose(document), re.MULTILINE)
    return [re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(BASE)))
def test_links_lead_somewhere(document: Path) -> None:
    for path, anchor in re.findall(r"\]\((?!https?:)([^)#\s]*)#?([^)\s]*)\)", prose(document)):
        there = document.parent / path if path else document
        assert there.exists(), path
        assert not anchor or anchor in anchors(there), (path, anchor)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(BASE)))
def test_no_two_headings_have_one_anchor(document: Path) -> None:
    assert len(anchors(document)) == len(set(anchors(document)))
