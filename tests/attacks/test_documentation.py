"""docs/security.md names, for each attack, tests that exist."""

import re
from pathlib import Path

import pytest

BASE = Path(__file__).parents[2]
DEFENDED = (BASE / "docs" / "security.md").read_text().split("## What is not defended")[0]
ROWS = [line for line in DEFENDED.splitlines() if line.startswith("| ") and not line.startswith("| who |")]
FILE = re.compile(r"`([\w./-]+\.(?:py|ts|mjs))`")
TEST = re.compile(r"`(test_\w+)`")


def named(row: str) -> list[tuple[Path, str]]:
    """The file of each test in a row's last cell, and the text of the test's name; "" where only a file is named."""
    found = []
    for part in re.split(r"(?=`[\w./-]+\.(?:py|ts|mjs)`)", row.split("|")[-2]):
        file = FILE.search(part)
        if file is None:
            continue
        folder = "sdks" if file[1].endswith((".ts", ".mjs")) else "tests"
        found += [(BASE / folder / file[1], test) for test in TEST.findall(part) or [""]]
    return found


@pytest.mark.parametrize("row", ROWS)
def test_each_row_names_tests_that_exist(row: str) -> None:
    tests = named(row)
    assert tests, "the last cell names no test: `folder/test_file.py`: `test_name`"
    for path, test in tests:
        assert path.is_file(), path
        assert not test or f"def {test}(" in path.read_text(), (path, test)
