"""What drf-spectacular cannot know by itself: the access token, what a name is, and the problems of every operation."""

import re
from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension

from accounts.names import UNSEEN
from accounts.problems import MEDIA_TYPE

# drf-spectacular publishes a validator's pattern as if a match were wanted, which of UNSEEN is the opposite. ECMA 262
# knows no \U: what lies above \uffff stands for itself, and patterns are read with the flag u (JSON Schema, 6.4).
PUBLISHED = UNSEEN.replace(r"\x", r"\u00")
SEEN = "[^" + re.sub(r"\\U([0-9a-f]{8})", lambda found: chr(int(found[1], 16)), PUBLISHED[1:-1])
NAME = rf"^{SEEN}]*{SEEN}\s]{SEEN}]*$"  # with a character that is no space, since spaces at the ends are cut off

PROBLEM = {
    "type": "object",
    "description": "RFC 9457",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What is wrong and what to do."},
        "code": {"type": "string", "description": "For programs; does not change."},
        "errors": {"type": "object", "description": "Sentences by field; `request` is what belongs to none."},
    },
    "required": ["type", "title", "status", "detail", "code"],
}
BODY_ANSWERS = {
    "413": "The body is too large",
    "415": "The body is no JSON by its Content-Type",
}
ANSWERS = {
    "400": "Wrong fields",
    "401": "No valid session or access token",
    "403": "Not allowed for your role, or for an access token that may only read",
    "404": "Not there, or not yours",
    "406": "The answer is JSON, which Accept leaves out",
    "409": "Does not fit to what is there: one too many, or there already",
    "429": "Too many requests; see Retry-After",
    "503": "A part is away or busy; see Retry-After",
}


class AccessTokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "accounts.authentication.AccessTokenAuthentication"
    name = "accessToken"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "description": "A personal access token, gluer_pat_…"}


def declare_problems(result: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
    """A post-processing hook: every operation says which problems it may answer."""
    result["components"]["schemas"]["Problem"] = PROBLEM
    for methods in result["paths"].values():
        for operation in methods.values():
            possible = ANSWERS | (BODY_ANSWERS if "requestBody" in operation else {})
            for status, description in possible.items():
                operation["responses"].setdefault(status, answer(description))
    return result


def close_bodies(result: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
    """A post-processing hook: bodies of requests have no fields but those that are declared (ModelSerializer)."""
    for methods in result["paths"].values():
        for operation in methods.values():
            if "requestBody" in operation:
                body = operation["requestBody"]["content"]["application/json"]["schema"]
                name = body["$ref"].rpartition("/")[2]
                result["components"]["schemas"][name]["additionalProperties"] = False
    return result


def declare_names(result: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
    """A post-processing hook: names have NAME's pattern. E-mail addresses need none beside their format (RFC 5321)."""
    for component in result["components"]["schemas"].values():
        for field in component.get("properties", {}).values():
            if field.get("pattern") == PUBLISHED:
                del field["pattern"]
                if field.get("format") != "email":
                    field["pattern"] = NAME
    return result


def answer(description: str) -> dict[str, Any]:
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {"description": description, "content": content}
