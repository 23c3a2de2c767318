"""The relay runs protocol/vectors, as both SDKs do."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.protocol.scenario import Scenario

VECTORS = Path(__file__).parents[2] / "protocol" / "vectors"
SCENARIOS = [
    pytest.param(vector, id=f"{path.stem}: {vector['name']}")
    for path in sorted(VECTORS.glob("*.json"))
    for vector in json.loads(path.read_text())
]
SCENARIO_FIELDS = {"name", "clauses", "peers", "steps", "handshake", "raw"}
STEP_FIELDS = {"peer", "sends", "receives", "closes", "leaves", "do", "then"}


@pytest.mark.parametrize("vector", SCENARIOS)
def test_the_relay_does_what_the_vector_says(vector: dict[str, Any]) -> None:
    Scenario(vector).run()


@pytest.mark.parametrize("vector", SCENARIOS)
def test_the_vector_is_written_in_the_documented_fields(vector: dict[str, Any]) -> None:
    assert vector.keys() <= SCENARIO_FIELDS
    assert set(vector["peers"].values()) <= {"frontend", "backend"}
    for step in vector["steps"]:
        assert step.keys() <= STEP_FIELDS
        assert step["peer"] in vector["peers"]


ECHO: list[dict[str, Any]] = [
    {"peer": "page", "sends": {"type": "ping"}},
    {"peer": "page", "receives": {"type": "pong"}},
]
WRONG: dict[str, list[dict[str, Any]]] = {
    "another frame comes": [ECHO[0], {"peer": "page", "receives": {"type": "ping"}}],
    "a field is missing": [ECHO[0], {"peer": "page", "receives": {"type": "pong", "id": "$any"}}],
    "nothing comes": [ECHO[1]],
    "more comes": [ECHO[0]],
    "the socket stays open": [*ECHO, {"peer": "page", "closes": {"code": 4400}}],
}


@pytest.mark.parametrize("steps", WRONG.values(), ids=WRONG)
def test_a_vector_that_says_otherwise_fails(steps: list[dict[str, Any]]) -> None:
    vector = {"name": "wrong", "clauses": [], "peers": {"page": "frontend"}, "steps": steps}
    with pytest.raises(AssertionError):
        Scenario(vector).run()


def test_names_of_scenarios_are_unique() -> None:
    names = [str(parameter.id) for parameter in SCENARIOS]
    assert len(names) == len(set(names)) > 40
