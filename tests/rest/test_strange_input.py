"""What no client should send: a problem, never a 500."""

import pytest
from django.test import Client

from accounts.models import User
from projects.models import Project
from tests.rest.conftest import ClientOf

HUGE = 10**30


@pytest.mark.parametrize("query", [f"limit={HUGE}", f"offset={HUGE}", "limit=-1", "limit=x&offset=y", "limit=%00"])
def test_a_list_takes_any_page(alice: User, project: Project, client: Client, query: str) -> None:
    client.force_login(alice)
    assert client.get(f"/api/v1/projects?{query}").status_code == 200


@pytest.mark.parametrize(
    "body",
    ["[]", "7", "null", '"x"', '{"workspace": 1e400, "name": "x"}', f'{{"workspace": {HUGE}, "name": "x"}}',
     '{"workspace": {}, "name": []}', '{"workspace": true, "name": "\\ud800"}', '{"workspace": 1, "name": "a\\u0000"}',
     "[" * 5000, '{"workspace": NaN}'],
)  # fmt: skip
def test_any_json_is_a_problem_and_no_crash(alice: User, project: Project, client_of: ClientOf, body: str) -> None:
    answer = client_of(alice).post("/api/v1/projects", body, content_type="application/json")
    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/problem+json"
