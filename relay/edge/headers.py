"""Reading an ASGI scope, and the time of day as it stands in frames."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any


def header(scope: Mapping[str, Any], name: bytes) -> str | None:
    """A request header's value (names in lower case), None when there is none."""
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), None)


def now_text() -> str:
    """The time of day, ISO 8601 in UTC with milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
