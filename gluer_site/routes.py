"""A path without what only its visitor may know: ids, names, and the secrets of links in e-mails."""

import re

from django.urls import Resolver404, resolve

BUS = re.compile(r"/v1/(call|send|publish|channels)\b")


def route_of(path: str) -> str:
    """The pattern that a path matches, as `/projects/<project:project_id>`."""
    bus = BUS.match(path)
    if bus is not None:
        return f"/v1/{bus[1]}"
    try:
        return f"/{resolve(path).route}"
    except Resolver404:
        return "/…"
