"""Allowed origins: where a project's front ends may come from (GP-4)."""

import re

from django.core.exceptions import ValidationError

MOST_ORIGINS = 100  # per project
LONGEST_ORIGIN = 255  # characters
OWN_PORTS = {"http": "80", "https": "443"}
PORT = "[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]"
GROUP = "[0-9a-f]{1,4}"
IPV6 = "|".join(  # as browsers write it (RFC 5952)
    [
        f"(?:{GROUP}:){{7}}{GROUP}",
        *(f"(?:{GROUP}:){{1,{7 - behind}}}(?::{GROUP}){{1,{behind}}}" for behind in range(1, 7)),
        f"(?:{GROUP}:){{1,7}}:",
        f":(?:(?::{GROUP}){{1,7}}|:)",
    ]
)
ORIGIN = re.compile(  # the OpenAPI schema has it too, so it is ECMA 262's as well: no names of groups
    r"(https?)://"
    rf"([a-z0-9_](?:[a-z0-9_.-]*[a-z0-9])?|\[(?:{IPV6})\])"  # other letters come from browsers as xn--…
    rf"(?::({PORT}))?/?"
)


def parse_origin(text: str) -> str:
    """The origin as browsers send it: lower case, without the scheme's own port. Raises ValueError."""
    match = ORIGIN.fullmatch(text.strip().lower())
    if match is None or len(text) > LONGEST_ORIGIN:
        raise ValueError(
            f"“{text[:LONGEST_ORIGIN]}” is no origin. Write it as https://example.com or http://host:8080."
        )
    scheme, host, port = match.groups()
    return f"{scheme}://{host}" if port in (None, OWN_PORTS[scheme]) else f"{scheme}://{host}:{port}"


def parse_origins(texts: list[str]) -> list[str]:
    """Parsed, without doubles, in order. Raises ValidationError that names each wrong one."""
    found, wrong = [], []
    for text in texts:
        try:
            found.append(parse_origin(text))
        except ValueError as error:
            wrong.append(str(error))
    if len(texts) > MOST_ORIGINS:
        wrong = [f"A project has at most {MOST_ORIGINS} allowed origins."]
    if wrong:
        raise ValidationError(wrong)
    return list(dict.fromkeys(found))


def validate_origins(value: object) -> None:
    """For the model: a list of origins exactly as browsers send them."""
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ValidationError("Allowed origins are a list of texts.")
    if parse_origins(value) != value:
        raise ValidationError("Write each origin once, in lower case, without a path or the default port.")
