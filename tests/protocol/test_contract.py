"""docs/contract.md names tests that exist, and all of those of the contract."""

import re
from pathlib import Path

import pytest

BASE = Path(__file__).parents[2]
TESTS = BASE / "tests" / "relay"
PROMISES = (BASE / "docs" / "contract.md").read_text().split("## Promises")[1].split("## What is not promised")[0]
ROWS = [line for line in PROMISES.splitlines() if line.startswith("| ")][1:]
NAME = re.compile(r"`(?:([\w./]+\.py)|(test_\w+)(?:\[[^]]+\])?)`")


def named() -> set[tuple[str, str]]:
    """File and test; a file alone when none of its tests is named."""
    found = set()
    for row in ROWS:
        file = ""
        for path, test in NAME.findall(row.split("|")[-2]):
            file = path or file
            found.add((file, test))
    return found


@pytest.mark.parametrize(("file", "test"), sorted(named()))
def test_a_named_test_exists(file: str, test: str) -> None:
    folder = TESTS.parent if file.startswith("cluster/") else TESTS
    text = (folder / file).read_text()
    assert not test or f"def {test}(" in text


def test_every_promise_has_its_test() -> None:
    assert len(ROWS) > 20
    assert all("`test_" in row.split("|")[-2] or "`core/test_" in row.split("|")[-2] for row in ROWS)


def test_every_test_of_the_contract_is_named() -> None:
    tests = {
        (f"contract/{path.name}", test)
        for path in (TESTS / "contract").glob("test_*.py")
        for test in re.findall(r"^async def (test_\w+)\(", path.read_text(), re.MULTILINE)
    }
    assert tests - named() == set()
