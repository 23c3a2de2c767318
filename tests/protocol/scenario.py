"""Runs a scenario of protocol/vectors against the relay's hub, as all of its peers (protocol/vectors/README.md)."""

from __future__ import annotations

import itertools
from typing import Any

from tests.relay.core.cast import CoreRelay, Peer

Json = Any
Frame = dict[str, Json]
LONGEST_DEADLINE = 1.0  # s; the vectors wait for no longer one


class Variables:
    """`$name`: bound where it is first seen, equal from then on."""

    def __init__(self, **known: str) -> None:
        self.values: dict[str, Json] = {f"${name}": value for name, value in known.items()}
        self.numbers = itertools.count(1)

    def matches(self, expected: Json, value: Json) -> bool:
        """Whether the value is the expected one; binds what was unbound."""
        if isinstance(expected, str) and expected.startswith("$"):
            return expected == "$any" or bool(self.values.setdefault(expected, value) == value)
        if isinstance(expected, dict) and isinstance(value, dict):
            return expected.keys() == value.keys() and all(self.matches(expected[k], value[k]) for k in expected)
        if isinstance(expected, list) and isinstance(value, list):
            return len(expected) == len(value) and all(map(self.matches, expected, value))
        return bool(expected == value) and type(expected) is type(value)

    def fill(self, field: str, value: Json) -> Json:
        """What to send for it; an unbound variable gets a fresh value of its field's kind."""
        if isinstance(value, str) and value.startswith("$"):
            return self.values.setdefault(value, self._fresh(field))
        if isinstance(value, dict):
            return {name: self.fill(name, inner) for name, inner in value.items()}
        return [self.fill(field, inner) for inner in value] if isinstance(value, list) else value

    def _fresh(self, field: str) -> Json:
        kinds: dict[str, Json] = {"timeout": 200, "header": {}}
        return kinds.get(field, f"made-by-the-runner-{next(self.numbers)}")


class Scenario:
    """One scenario: every `sends` is sent; every frame that comes is required, in order for each peer."""

    def __init__(self, vector: dict[str, Json]) -> None:
        self.vector = vector
        self.relay = CoreRelay()
        project = self.relay.alice
        self.variables = Variables(public_key=project.public_key, private_key=project.private_key)
        self.peers: dict[str, Peer] = {}
        for name, kind in vector["peers"].items():
            if vector.get("handshake"):
                self.peers[name] = project.peer()
            else:
                self.peers[name] = project.frontend() if kind == "frontend" else project.backend()

    def run(self) -> None:
        """Raises AssertionError where the relay does otherwise."""
        for step in self.vector["steps"]:
            self._step(self.peers[step["peer"]], step)
        closed = {step["peer"] for step in self.vector["steps"] if "closes" in step}
        for name, peer in self.peers.items():
            assert peer.left or not peer.inbox, "more came than the scenario says"
            assert name in closed or peer.closed is None, "the relay closed the socket"

    def _step(self, peer: Peer, step: dict[str, Json]) -> None:
        if "sends" in step:
            frame = self.variables.fill("", step["sends"])
            peer.sends(frame.pop("type"), **frame)
        if "receives" in step:
            self._receive(peer, step["receives"])
        if step.get("leaves"):
            peer.leaves()
        if "closes" in step:
            assert peer.closed == step["closes"]["code"]

    def _receive(self, peer: Peer, expected: Frame) -> None:
        if not peer.inbox:
            self.relay.advances(LONGEST_DEADLINE)
        frame = peer.receives()
        for field, value in expected.items():
            assert field in frame, f"{field} is missing in {frame}"
            assert self.variables.matches(value, frame[field]), f"{field} of {frame} is not {value}"
