"""A path without what only its visitor may know: ids, names, and the secrets of links in e-mails."""

import re

from django.urls import Resolver404, resolve

NOT_DJANGO = re.compile(r"/(v1/(call|send|publish|channels)\b|(healthz|readyz|metrics)$)")  # asgi.py


def route_of(path: str) -> str:
    """The pattern that a path matches, as `/projects/<project:project_id>`."""
    known = NOT_DJANGO.match(path)
    if known is not None:
        return known[0]
    try:
        return f"/{resolve(path).route}"
    except Resolver404:
        return "/…"
