"""What no client should send: a problem, never a 500."""

import pytest

from accounts.models import User
from projects.models import Project
from tests.rest.conftest import ClientOf

HUGE = 10**30


@pytest.mark.parametrize("query", [f"limit={HUGE}", f"offset={HUGE}", "limit=1&offset=0", "limit=007"])
def test_a_list_takes_any_page(alice: User, project: Project, client_of: ClientOf, query: str) -> None:
    assert client_of(alice).get(f"/api/v1/projects?{query}").status_code == 200


@pytest.mark.parametrize("text", ["", "null", "-1", "x", "%00", "1.0", "1_0", "1%0A", "٣", "²", "1&{}=1", "9" * 5000])
@pytest.mark.parametrize("name", ["limit", "offset"])
def test_what_is_no_page_is_named(alice: User, client_of: ClientOf, name: str, text: str) -> None:
    answer = client_of(alice).get(f"/api/v1/projects?{name}={text.format(name)}")
    assert (answer.status_code, list(answer.json()["errors"])) == (400, [name])


def test_a_page_has_one_row_at_least(alice: User, client_of: ClientOf) -> None:
    assert client_of(alice).get("/api/v1/projects?limit=0").status_code == 400


@pytest.mark.parametrize(
    "body",
    ["[]", "7", "null", '"x"', '{"workspace": 1e400, "name": "x"}', f'{{"workspace": {HUGE}, "name": "x"}}',
     '{"workspace": {}, "name": []}', '{"workspace": true, "name": "\\ud800"}', '{"workspace": 1, "name": "a\\u0000"}',
     "[" * 5000, '{"workspace": NaN}'],
)  # fmt: skip
def test_any_json_is_a_problem_and_no_crash(alice: User, project: Project, client_of: ClientOf, body: str) -> None:
    answer = client_of(alice).post("/api/v1/projects", body, content_type="application/json")
    assert answer.status_code == (404 if str(HUGE) in body else 400)  # a number, but no workspace's
    assert answer["Content-Type"] == "application/problem+json"
