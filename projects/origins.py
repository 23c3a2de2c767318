"""Allowed origins: where a project's front ends may come from (GP-4)."""

from urllib.parse import urlsplit

from django.core.exceptions import ValidationError

MOST_ORIGINS = 100  # per project
LONGEST_ORIGIN = 255  # characters


def parse_origin(text: str) -> str:
    """The origin as browsers send it: lower case, without the scheme's own port. Raises ValueError."""
    parts = urlsplit(text.strip().rstrip("/").lower())
    bare = not (parts.path or parts.query or parts.fragment or "@" in parts.netloc)
    if len(text) > LONGEST_ORIGIN or parts.scheme not in ("http", "https") or not parts.hostname or not bare:
        raise ValueError(
            f"“{text[:LONGEST_ORIGIN]}” is no origin. Write it as https://example.com or http://host:8080."
        )
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    default = {"http": 80, "https": 443}[parts.scheme]
    port = "" if parts.port in (None, default) else f":{parts.port}"
    return f"{parts.scheme}://{host}{port}"


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
