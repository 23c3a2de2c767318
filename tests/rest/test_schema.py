from typing import Any

import pytest
from django.test import Client
from openapi_spec_validator import OpenAPIV31SpecValidator


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


def test_it_says_how_to_show_who_one_is(schema: Any) -> None:
    assert schema["components"]["securitySchemes"]["accessToken"]["scheme"] == "bearer"
