"""What no client should send: a problem, never a 500."""

import json

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


@pytest.mark.parametrize(
    ("method", "path", "body", "wrong"),
    [
        ("post", "/projects", {"workspace": "{w}", "name": "x", "alowed_origins": []}, {"alowed_origins": "no field"}),
        ("post", "/projects", {"workspace": "{w}", "name": "x", "id": "a" * 12}, {"id": "cannot be chosen"}),
        ("patch", "/projects/{p}", {"nmae": "x", "name": "y"}, {"nmae": "no field"}),
        ("patch", "/projects/{p}", {"workspace": 7}, {"workspace": "cannot be chosen"}),
        ("patch", "/projects/{p}", {"": 1, "\ud800": {}}, {"": "no field", "?": "no field"}),
        ("post", "/projects/{p}/keys", {"kind": "public", "name": "x", "key": "k"}, {"key": "cannot be chosen"}),
        ("post", "/workspaces/{w}/invitations", {"email": "d@example.org", "rolle": "owner"}, {"rolle": "no field"}),
    ],
)
def test_a_field_that_nobody_reads_is_named(
    alice: User, project: Project, client_of: ClientOf, method: str, path: str, body: object, wrong: dict[str, str]
) -> None:
    where = path.replace("{w}", str(project.workspace_id)).replace("{p}", project.id)
    text = json.dumps(body).replace('"{w}"', str(project.workspace_id))
    answer = getattr(client_of(alice), method)(f"/api/v1{where}", text, content_type="application/json")
    assert answer.status_code == 400
    errors = answer.json()["errors"]
    assert errors.keys() == wrong.keys()
    assert all(sentence in errors[name][0] for name, sentence in wrong.items())
    project.refresh_from_db()
    assert (project.name, project.keys.count(), Project.objects.count()) == ("Shop", 2, 1)


def test_only_so_many_wrong_fields_are_named(alice: User, project: Project, client_of: ClientOf) -> None:
    body = {f"f{n}": n for n in range(1_000)}
    answer = client_of(alice).patch(f"/api/v1/projects/{project.id}", body, content_type="application/json")
    assert (answer.status_code, len(answer.json()["errors"])) == (400, 20)
