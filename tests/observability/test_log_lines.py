"""What one line of the log holds: no query string, whoever logs it (Rule 1 of gluer_site/logs.py)."""

import logging
import subprocess
import sys

import pytest
import structlog

from gluer_site.logs import logging_settings
from tests.relay.harness.home import BASE, Home

QUERIES = [
    "/accounts/login/?next=Zacharias",
    "/?Zacharias",
    "/links/MQ-?who=Zacharias",
    "/links/MQ.?who=Zacharias&who=Zacharias",
    "/links/MQ=?who=Zacharias#Zacharias",
    "/v1/channels?channel=Zacharias%20Zacharias",
    "https://example.org?who=Zacharias",
    "wss://example.org:8443/v1/ws/x?key=Zacharias?Zacharias",
    "?who=Zacharias",
]
SENTENCES = ['127.0.0.1:5 - "GET {} HTTP/1.1" 200', "HTTP Request: GET {}", "<a href='{}'>", "Not found: {}"]
SERVERS = ["uvicorn.access", "django.server"]


@pytest.fixture(params=["json", "text"])
def formatter(request: pytest.FixtureRequest) -> logging.Formatter:
    """What all lines go through."""
    options = logging_settings(request.param, "DEBUG")["formatters"]["pipe"]
    made = options.pop("()")(**options)
    assert isinstance(made, structlog.stdlib.ProcessorFormatter)
    return made


def record(message: str, *args: object, error: Exception | None = None) -> logging.LogRecord:
    failed = None if error is None else (type(error), error, error.__traceback__)
    return logging.LogRecord("any.library", logging.INFO, __file__, 1, message, args, failed)


@pytest.mark.parametrize("query", QUERIES)
@pytest.mark.parametrize("sentence", SENTENCES)
def test_a_sentence_shows_no_query(formatter: logging.Formatter, sentence: str, query: str) -> None:
    for said in (record(sentence.format(query)), record(sentence.replace("{}", "%s"), query)):
        line = formatter.format(said)
        assert "Zacharias" not in line
        assert sentence.split("{")[0].strip("\"'") in line.replace('\\"', '"')


@pytest.mark.parametrize("query", QUERIES)
def test_an_exception_shows_no_query(formatter: logging.Formatter, query: str) -> None:
    try:
        raise ConnectionError(query) from ValueError(query)
    except ConnectionError as error:
        line = formatter.format(record("It failed.", error=error))
    assert "ConnectionError" in line
    assert "Zacharias" not in line


def test_a_question_stays_as_it_is(formatter: logging.Formatter) -> None:
    assert "Is Redis there? Ask again." in formatter.format(record("Is Redis there? Ask again."))


def test_servers_print_no_lines_of_requests_of_their_own(home: Home) -> None:
    """They hold paths, which name people; a warning of theirs is printed."""
    says = f"[getattr(logging.getLogger(n), h)(h + ' /Zacharias/') for n in {SERVERS} for h in ('info', 'warning')]"
    done = subprocess.run(
        [sys.executable, "-c", f"import django, logging; django.setup(); {says}"],
        cwd=BASE,
        env=home.environment(GLUER_LOG_LEVEL="DEBUG", DJANGO_SETTINGS_MODULE="gluer_site.settings"),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    printed = [line for line in (done.stdout + done.stderr).splitlines() if "Zacharias" in line]
    assert len(printed) == len(SERVERS)
    assert all("warning /Zacharias/" in line for line in printed)
