"""What may stand in a project's list of allowed origins: origins exactly as browsers send them (RFC 6454, 6.2)."""

import pytest
from django.core.exceptions import ValidationError

from projects.origins import parse_origin, validate_origins


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("https://example.com", "https://example.com"),
        (" HTTPS://Example.COM/ ", "https://example.com"),
        ("https://example.com:443", "https://example.com"),
        ("http://example.com:80/", "http://example.com"),
        ("http://example.com:443", "http://example.com:443"),
        ("https://example.com:80", "https://example.com:80"),
        ("http://localhost:8080", "http://localhost:8080"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("https://xn--bcher-kva.example", "https://xn--bcher-kva.example"),
    ],
)
def test_an_origin_is_written_as_browsers_send_it(text: str, origin: str) -> None:
    assert parse_origin(text) == origin
    assert parse_origin(origin) == origin
    validate_origins([origin])
    if text != origin:
        with pytest.raises(ValidationError):
            validate_origins([text])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "*",
        "null",
        "example.com",
        "//example.com",
        "https:/example.com",
        "wss://example.com",
        "https://",
        "https://.example.com",
        "https://example.com.",
        "https://example.com.:443",
        "https://example.com:08443",  # no browser sends a port so, and the schema's pattern has none
        "https://*.example.com",
        "https://example.com//",
        "https://example.com/page",
        "https://example.com?page",
        "https://example.com#page",
        "https://example.com\\",
        "https://example.com:",
        "https://example.com:0",
        "https://example.com:65536",
        "https://example.com:-1",
        "https://example.com@evil.test",
        "https://user:word@example.com",
        "https://example.com,https://evil.test",
        "https://example.com https://evil.test",
        "https://example.com\nhttps://evil.test",
        "https://::1",
        "https://bücher.example",
        f"https://{'x' * 248}",
    ],
)
def test_what_is_no_origin_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no origin"):
        parse_origin(text)
    with pytest.raises(ValidationError):
        validate_origins([text])
