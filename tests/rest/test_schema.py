"""The OpenAPI schema. Clients of `client_of` compare with it what they are answered (tests/rest/conformance.py)."""

import re
import sys
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.test import Client
from openapi_spec_validator import OpenAPIV31SpecValidator
from rest_framework.throttling import UserRateThrottle

from accounts.models import User
from accounts.names import validate_name
from tests.rest.conftest import ClientOf
from tests.rest.test_access import OPERATIONS

LISTS = {("get", "/workspaces"), ("get", "/projects"), ("post", "/projects")}  # asked by tests of their own


@pytest.fixture
def schema(db: None, client: Client) -> Any:
    return client.get("/api/schema").json()


def test_it_is_valid_openapi_3_1(schema: Any) -> None:
    assert schema["openapi"].startswith("3.1")
    OpenAPIV31SpecValidator(schema).validate()


def test_every_operation_declares_its_problems(schema: Any) -> None:
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            assert {"401", "403", "404", "429"} <= operation["responses"].keys(), (path, method)


def test_it_lists_what_there_is(schema: Any) -> None:
    assert {
        "/api/v1/workspaces",
        "/api/v1/projects",
        "/api/v1/projects/{project_id}",
        "/api/v1/projects/{project_id}/keys",
        "/api/v1/projects/{project_id}/keys/{key_id}",
        "/api/v1/projects/{project_id}/keys/{key_id}/reveal",
        "/api/v1/projects/{project_id}/password/reveal",
        "/api/v1/projects/{project_id}/password/regenerate",
        "/api/v1/projects/{project_id}/usage",
        "/api/v1/workspaces/{workspace_id}/usage",
        "/api/v1/workspaces/{workspace_id}/invitations",
        "/api/v1/workspaces/{workspace_id}/invitations/{invitation_id}",
        "/api/v1/workspaces/{workspace_id}/invitations/{invitation_id}/resend",
    } <= schema["paths"].keys()


def test_it_is_made_once(db: None, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    first = client.get("/api/schema").content
    monkeypatch.setattr("accounts.api.SchemaGenerator", None)
    for accept in ("application/json", "application/vnd.oai.openapi+json", "*/*;v=7"):
        assert client.get("/api/schema?lang=de", headers={"accept": accept}).content == first


def test_who_names_other_addresses_is_throttled_all_the_same(
    db: None, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(UserRateThrottle, "THROTTLE_RATES", {"user": "2/min"})
    spoofed = [client.get("/api/schema", headers={"x-forwarded-for": f"10.0.0.{n}"}) for n in range(3)]
    assert [answer.status_code for answer in spoofed] == [200, 200, 429]
    assert client.get("/api/schema", REMOTE_ADDR="192.0.2.7").status_code == 200


def test_it_says_how_to_show_who_one_is(schema: Any) -> None:
    assert schema["components"]["securitySchemes"]["accessToken"]["scheme"] == "bearer"


def test_the_answers_of_every_operation_are_compared_with_it(schema: Any) -> None:
    def unnamed(path: str) -> str:
        return re.sub(r"\{\w+\}", "{}", path.removeprefix("/api/v1"))

    known = {(method, unnamed(path)) for path, methods in schema["paths"].items() for method in methods}
    assert known == LISTS | {(method, unnamed(path)) for method, path, *_ in OPERATIONS}


def test_refusals_of_bodies_and_of_answers_are_declared(alice: User, client_of: ClientOf) -> None:
    api = client_of(alice)
    assert api.post("/api/v1/projects", "x=1", content_type="text/plain").status_code == 415
    assert api.get("/api/v1/projects", headers={"accept": "text/html"}).status_code == 406


def is_name(text: str) -> bool:
    try:
        validate_name(text)
    except ValidationError:
        return False
    return bool(text.strip())


def test_its_pattern_of_a_name_is_the_rule(schema: Any) -> None:
    pattern = re.compile(schema["components"]["schemas"]["ProjectRequest"]["properties"]["name"]["pattern"])
    texts = [f"a{chr(code)}b" for code in range(sys.maxunicode + 1)] + ["", " ", "\u3000", "a", " a ", "Bob’s"]
    assert [text for text in texts if bool(pattern.match(text)) != is_name(text)] == []


def test_an_e_mail_address_has_a_format_and_no_pattern(schema: Any) -> None:
    for component in ("Invitation", "InvitationRequest"):
        email = schema["components"]["schemas"][component]["properties"]["email"]
        assert (email["format"], email.get("pattern")) == ("email", None)


def test_bodies_have_no_other_fields(schema: Any) -> None:
    bodies = {
        body["content"]["application/json"]["schema"]["$ref"].rsplit("/", 1)[1]
        for methods in schema["paths"].values()
        for operation in methods.values()
        if (body := operation.get("requestBody"))
    }
    assert {"ProjectRequest", "PatchedProjectSettingsRequest", "KeyRequest", "InvitationRequest"} == bodies
    assert all(schema["components"]["schemas"][name]["additionalProperties"] is False for name in bodies)
