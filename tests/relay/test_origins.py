"""A page is let in when its origin is an allowed one, to the letter (GP-4)."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projects.access import ProjectSettings
from projects.origins import parse_origins
from relay.core.connection import FRONTEND
from relay.directory import origin_refused
from tests.relay.harness.shop import Shop

ALLOWED = ["https://example.com", "http://127.0.0.1:8080"]
OTHERS = [
    "https://example.com.evil.test",
    "https://example.com-evil.test",
    "https://example.community",
    "https://example.co",
    "https://evil-example.com",
    "https://www.example.com",
    "https://example.com@evil.test",
    "https://example.com:pass@evil.test",
    "https://user@example.com",
    "https://evil.test/https://example.com",
    "https://evil.test#https://example.com",
    "https://example.com https://evil.test",
    "https://evil.test https://example.com",
    "https://example.com,https://evil.test",
    "https://example.com/",
    "https://example.com.",
    "https://example.com:443",
    "https://example.com:8443",
    "https://example.com:4430",
    "http://example.com",
    "https:example.com",
    "https",
    "example.com",
    "HTTPS://EXAMPLE.COM",
    "https://Example.com",
    "https://exаmple.com",  # a Cyrillic letter; browsers send xn--…
    "http://127.0.0.1",
    "http://127.0.0.1:80",
    "http://127.0.0.1:80801",
    "https://127.0.0.1:8080",
    "http://127.0.0.11:8080",
    "*",
    "null",
    "",
]
SETTINGS = ProjectSettings(
    id="aliceproject",
    workspace_id=1,
    require_password=False,
    password_digest="",
    allowed_origins=tuple(parse_origins(ALLOWED)),
    hold_seconds=5,
    session_rate=50,
    address_rate=200,
    active_keys=frozenset(),
)


def is_let_in(origin: str | None, settings: ProjectSettings = SETTINGS) -> bool:
    refused = origin_refused(FRONTEND, origin, settings)
    assert refused is None or refused.code == "forbidden"
    return refused is None


@pytest.mark.parametrize("origin", ALLOWED)
def test_an_allowed_origin_is_let_in(origin: str) -> None:
    assert is_let_in(origin)


@pytest.mark.parametrize("origin", OTHERS)
def test_no_other_origin_is_let_in(origin: str) -> None:
    assert not is_let_in(origin)


@given(st.sampled_from(ALLOWED), st.integers(0, 30), st.integers(0, 3), st.text(max_size=5))
def test_an_allowed_origin_with_any_change_is_let_in_no_more(origin: str, at: int, gone: int, put: str) -> None:
    changed = origin[:at] + put + origin[at + gone :]
    assert is_let_in(changed) == (changed in ALLOWED)


def test_a_program_has_no_origin_and_an_empty_list_lets_all_in() -> None:
    assert is_let_in(None)
    for origin in OTHERS:
        assert is_let_in(origin, replace(SETTINGS, allowed_origins=()))


async def test_pages_of_other_origins_are_refused_by_both_ways(alice: Shop) -> None:
    alice.office.ask("change_project", id=alice.id, allowed_origins=ALLOWED)
    await alice.calculator()
    sums = {"a": 5, "b": 3}
    for origin in [*OTHERS, *ALLOWED]:
        if not origin.isascii():
            continue
        answer = await alice.post("/v1/call/calculator:add", json=sums, headers={"Origin": origin})
        expected = (200, origin) if origin in ALLOWED else (403, None)
        assert (answer.status_code, answer.headers.get("access-control-allow-origin")) == expected, origin
    for origin in OTHERS[:3]:
        page = await alice.socket(origin=origin)
        await page.send("hello", key=alice.public)
        await page.assert_closed(4403, code="forbidden", reconnect=False)
    page = await alice.frontend(origin=ALLOWED[0])
    assert (await page.call("calculator:add", sums))["data"] == {"result": 8}
