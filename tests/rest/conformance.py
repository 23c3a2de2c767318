"""A client that compares each answer of the REST API with the OpenAPI schema."""

import json
import re
from functools import cache
from typing import Any

from django.test import Client
from jsonschema import Draft202012Validator
from jsonschema.protocols import Validator

from accounts.api import schema_text


class ConformingClient(Client):
    """Fails on an answer that the schema does not declare: its status, content type and body."""

    def request(self, **request: Any) -> Any:
        answer = super().request(**request)
        check(request["REQUEST_METHOD"], request["PATH_INFO"], answer)
        return answer


def check(method: str, path: str, answer: Any) -> None:
    """Raises AssertionError. What is at no path and method of the schema is refused with a problem."""
    found = operation(method, path)
    if found is None:
        assert answer.status_code in (404, 405), (method, path, answer.status_code)
        assert answer["Content-Type"] == "application/problem+json"
        return
    declared = schema()["paths"][found][method.lower()]["responses"]
    assert str(answer.status_code) in declared, (method, path, answer.status_code, answer.text)
    if not declared[str(answer.status_code)].get("content"):
        assert not answer.content
        return
    where = (found, method.lower(), "responses", str(answer.status_code), "content", answer["Content-Type"], "schema")
    validator_at(where).validate(answer.json())


def operation(method: str, path: str) -> str | None:
    """The schema's path that this one is an example of."""
    for template, methods in schema()["paths"].items():
        if method.lower() in methods and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path):
            return str(template)
    return None


@cache
def schema() -> Any:
    return json.loads(schema_text())


@cache
def validator_at(where: tuple[str, ...]) -> Validator:
    """For the schema at this place below `paths`."""
    steps = "/".join(step.replace("~", "~0").replace("/", "~1") for step in where)
    checker = Draft202012Validator.FORMAT_CHECKER
    return Draft202012Validator({**schema(), "$ref": f"#/paths/{steps}"}, format_checker=checker)
