#!/usr/bin/env python3
"""Makes protocol/codes.json, protocol/codes.md and sdks/core/src/codes.ts from relay/core/errors.py, and the diagram
of a call's states in docs/contract.md from relay/core/calls.py.

python protocol/generate.py            writes them
python protocol/generate.py --check    fails, naming the file, when one of them is not what it would write
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from relay.core.calls import TRANSITIONS  # noqa: E402 (found by the line above)
from relay.core.errors import CLOSE_CODES, OUTCOMES  # noqa: E402

SOURCE = "Made by `python protocol/generate.py` from relay/core/errors.py: change that file, not this one."


RAISED_BY_SDKS = (
    "app_error", "rejected", "connection_lost", "deadline_exceeded", "cancelled", "invalid_arguments",
    "payload_too_large",
)  # fmt: skip


def as_json() -> str:
    tables = {
        "outcomes": [
            {"number": o.number, "name": o.name, "status": o.status, "retryable": o.retryable, "message": o.sentence}
            for o in OUTCOMES.values()
        ],
        "close_codes": [
            {"number": c.number, "name": c.name, "reconnect": c.reconnect, "message": c.sentence}
            for c in CLOSE_CODES.values()
        ],
    }
    return json.dumps(tables, indent=1) + "\n"


def as_markdown() -> str:
    outcomes = [
        f"| {o.number} | `{o.name}` | {o.status} | {yes(o.retryable)} | {o.sentence} |" for o in OUTCOMES.values()
    ]
    closes = [f"| {c.number} | `{c.name}` | {yes(c.reconnect)} | {c.sentence} |" for c in CLOSE_CODES.values()]
    return "\n".join(
        [
            "# Outcomes and close codes",
            "",
            f"<!-- {SOURCE} -->",
            "",
            "## Outcomes",
            "How a request ends, besides a result. *Retryable*: the same request may succeed later. It may have had an",
            "effect all the same: after `callee_lost`, `connection_lost`, `deadline_exceeded` and `relay_unavailable`",
            "a call may have run, and a message may have been delivered.",
            "",
            "| number | name | HTTP status | retryable | meaning |",
            "|---|---|---|---|---|",
            *outcomes,
            "",
            "## Close codes",
            "Why the relay closes a WebSocket; `bye` says the name. *Reconnect*: coming back may help.",
            "",
            "| code | name | reconnect | meaning |",
            "|---|---|---|---|",
            *closes,
            "",
        ]
    )


def as_typescript() -> str:
    """Only what an SDK cannot be told by the relay: every `error` and `bye` brings its own sentence."""
    retryable = [f"  '{o.name}'," for o in OUTCOMES.values() if o.retryable]
    sentences = [f"  {name}: {quoted(OUTCOMES[name].sentence)}," for name in RAISED_BY_SDKS]
    finals = [
        f"  {c.number}: '{c.name if c.name in OUTCOMES else 'connection_lost'}',"
        for c in CLOSE_CODES.values()
        if not c.reconnect
    ]
    return "\n".join(
        [
            f"// {SOURCE}",
            "",
            "/** The outcomes after which the same request may succeed later (protocol, section 7). */",
            "export const RETRYABLE: readonly string[] = [",
            *retryable,
            "];",
            "",
            "/** The sentences of the outcomes that a client itself raises. */",
            "export const SENTENCES: Readonly<Record<string, string>> = {",
            *sentences,
            "};",
            "",
            "/** The outcomes that close codes stand for after which connecting again cannot help. */",
            "export const FINAL_CLOSES: Readonly<Record<number, string>> = {",
            *finals,
            "};",
            "",
        ]
    )


def as_contract() -> str:
    """The page as it is, with its diagram made anew."""
    before, _, rest = (ROOT / "docs/contract.md").read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    arrows = [
        f"    {old.name} --> {new.name}: {why}" for old, moves in TRANSITIONS.items() for new, why in moves.items()
    ]
    states = [f"| {state.name} | {state.value} |" for state in TRANSITIONS]
    diagram = ["", "```mermaid", "stateDiagram-v2", "    [*] --> NEW", *arrows, "    ENDED --> [*]", "```", ""]
    table = ["| state | a call that |", "|---|---|", *states, ""]
    return before + BEGIN + "\n".join([*diagram, *table]) + END + after


def yes(value: bool) -> str:
    return "yes" if value else "no"


def quoted(text: str) -> str:
    return json.dumps(text) if "'" in text else f"'{text}'"


BEGIN, END = "<!-- made by protocol/generate.py from relay/core/calls.py -->", "<!-- end of what is made -->"
FILES: dict[str, Callable[[], str]] = {
    "protocol/codes.json": as_json,
    "protocol/codes.md": as_markdown,
    "sdks/core/src/codes.ts": as_typescript,
    "docs/contract.md": as_contract,
}


def main(check: bool) -> int:
    stale = [name for name, make in FILES.items() if not (ROOT / name).exists() or (ROOT / name).read_text() != make()]
    for name in stale:
        if check:
            print(f"{name} is stale: run `python protocol/generate.py`.", file=sys.stderr)
        else:
            (ROOT / name).write_text(FILES[name]())
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main(check="--check" in sys.argv[1:]))
