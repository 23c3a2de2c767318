"""What drf-spectacular cannot know by itself: the access token, and the problems every operation may answer."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension

from accounts.problems import MEDIA_TYPE

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
ANSWERS = {
    "400": "Wrong fields",
    "401": "No valid session or access token",
    "403": "Not allowed for your role",
    "404": "Not there, or not yours",
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
            for status, description in ANSWERS.items():
                operation["responses"].setdefault(status, answer(description))
    return result


def answer(description: str) -> dict[str, Any]:
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {"description": description, "content": content}
