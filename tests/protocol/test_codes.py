"""The text, the tables and the vectors of protocol/ speak of the same codes and clauses as the relay."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from relay.core import hub
from relay.core.errors import CLOSE_CODES, LONGEST_MESSAGE, OUTCOMES, CloseCode, Outcome
from tests.relay.core.cast import CoreRelay

PROTOCOL = Path(__file__).parents[2] / "protocol"
TEXT = (PROTOCOL / "README.md").read_text()
CODES = (PROTOCOL / "codes.md").read_text()
CORE = "".join(path.read_text() for path in Path(hub.__file__).parent.glob("*.py"))
CLAUSE = re.compile(r"GP-[0-9A-F]+")


@pytest.mark.parametrize("outcome", OUTCOMES.values(), ids=lambda outcome: outcome.name)
def test_every_outcome_is_documented(outcome: Outcome) -> None:
    retryable = "yes" if outcome.retryable else "no"
    row = f"| {outcome.number} | `{outcome.name}` | {outcome.status} | {retryable} | {outcome.sentence} |"
    assert row in CODES.splitlines()


@pytest.mark.parametrize("close", CLOSE_CODES.values(), ids=lambda close: close.name)
def test_every_close_code_is_documented(close: CloseCode) -> None:
    reconnect = "yes" if close.reconnect else "no"
    assert f"| {close.number} | `{close.name}` | {reconnect} | {close.sentence} |" in CODES.splitlines()


def test_the_generated_tables_are_fresh() -> None:
    check = subprocess.run([sys.executable, PROTOCOL / "generate.py", "--check"], capture_output=True, text=True)
    assert check.returncode == 0, check.stderr


def test_numbers_and_names_of_outcomes_are_unique() -> None:
    assert len({outcome.number for outcome in OUTCOMES.values()}) == len(OUTCOMES)
    assert all(name == outcome.name for name, outcome in OUTCOMES.items())


def test_every_sentence_fits_into_a_frame() -> None:
    sentences = [code.sentence for code in OUTCOMES.values()] + [code.sentence for code in CLOSE_CODES.values()]
    assert all(0 < len(sentence.encode()) <= LONGEST_MESSAGE for sentence in sentences)


def test_every_refused_hello_has_a_close_code() -> None:
    assert set(hub.CLOSES) <= OUTCOMES.keys()
    assert set(hub.CLOSES.values()) <= CLOSE_CODES.keys()


def test_every_code_the_core_uses_is_in_the_table() -> None:
    used = set(re.findall(r'(?:Refused|fail|notice)\((?:\w+, )?"(\w+)"', CORE))
    assert len(used) > 5
    assert used <= OUTCOMES.keys()


def test_every_clause_the_vectors_show_is_in_the_text() -> None:
    shown = {
        clause
        for path in (PROTOCOL / "vectors").glob("*.json")
        for vector in json.loads(path.read_text())
        for clause in vector["clauses"]
    }
    assert len(shown) > 10
    assert shown <= set(CLAUSE.findall(TEXT))


def test_every_clause_the_core_cites_is_in_the_text() -> None:
    assert set(CLAUSE.findall(CORE)) <= set(CLAUSE.findall(TEXT))


def test_every_frame_the_relay_handles_is_in_the_text() -> None:
    relay = CoreRelay()
    relay.alice.frontend()
    handled = {frame.__name__.lower() for frame in relay.alice.tenant.handlers}
    assert len(handled) > 10
    assert {name for name in handled if f"`{name}`" not in TEXT} == set()
