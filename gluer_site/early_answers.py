"""Answers that are given before Django is asked, or instead of it."""

from typing import Any

from django.http import HttpResponse

from gluer_site.content_security import protect


def messages_of(response: HttpResponse) -> list[dict[str, Any]]:
    """The ASGI messages of an answer that no middleware has seen, with the headers that every page has."""
    headers = [(name.lower().encode(), value.encode()) for name, value in protect(response).items()]
    start = {"type": "http.response.start", "status": response.status_code, "headers": headers}
    return [start, {"type": "http.response.body", "body": response.content}]
