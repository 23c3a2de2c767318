"""Settings come typed from the environment; wrong and unsafe ones are named, all at once, and refused."""

import os
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from gluer_site.environment import Environment, WrongEnvironment

SETTINGS = Path(__file__).resolve().parent.parent.parent / "gluer_site/settings.py"
GOOD = {
    "GLUER_MODE": "production",
    "GLUER_SECRET_KEY": "s" * 50,
    "GLUER_LOOKUP_SECRET": "l" * 50,
    "GLUER_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
    "GLUER_ALLOWED_HOSTS": "gluer.example",
    "GLUER_SITE_URL": "https://gluer.example",
    "DATABASE_URL": "postgres://gluer@localhost/gluer",
    "REDIS_URL": "redis://:password@localhost:6379",
}


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in os.environ:
        if name.startswith("GLUER_") or name in ("DATABASE_URL", "REDIS_URL"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("GLUER_HOME", str(tmp_path))


def read_settings(monkeypatch: pytest.MonkeyPatch, **changes: str) -> dict[str, Any]:
    for name, value in changes.items():
        monkeypatch.setenv(name, value)
    return runpy.run_path(str(SETTINGS))


def test_production_starts_with_good_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = read_settings(monkeypatch, **GOOD)
    assert settings["DEBUG"] is False
    assert settings["SESSION_COOKIE_SECURE"] is True
    assert settings["RELAY_URL"] == "wss://gluer.example"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GLUER_DEBUG", "1"),
        ("GLUER_SECRET_KEY", ""),
        ("GLUER_SECRET_KEY", "too-short"),
        ("GLUER_SECRET_KEY", "django-insecure-" + "s" * 50),
        ("GLUER_SECRET_KEY", "change-me" + "s" * 50),
        ("GLUER_LOOKUP_SECRET", ""),
        ("GLUER_LOOKUP_SECRET", "change-me" + "l" * 50),
        ("GLUER_ENCRYPTION_KEYS", ""),
        ("GLUER_ALLOWED_HOSTS", ""),
        ("GLUER_ALLOWED_HOSTS", "*"),
        ("REDIS_URL", ""),
        ("REDIS_URL", "redis://localhost:6379"),
        ("REDIS_URL", "rediss://relay@redis.example.org"),
        ("REDIS_URL", "redis://:secret@redis.example.org:6379"),
        ("REDIS_URL", "redis://:secret@198.51.100.7.example:6379"),
        ("REDIS_URL", "redis://:secret@8.8.8.8:6379"),
        ("REDIS_URL", "redis://:secret@[2606:4700::1111]:6379"),
        ("GLUER_METRICS_TOKEN", "too-short"),
    ],
)
def test_production_refuses_an_unsafe_setting_by_name(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    with pytest.raises(WrongEnvironment) as refusal:
        read_settings(monkeypatch, **{**GOOD, name: value})
    sentences = str(refusal.value).splitlines()[1:]
    assert len(sentences) == 1
    assert name in sentences[0]
    assert "secret@" not in sentences[0]


@pytest.mark.parametrize(
    "url",
    [
        "redis://:password@redis:6379",
        "redis://relay:password@valkey",
        "redis://:password@127.0.0.1",
        "redis://:password@[::1]:6379",
        "redis://:password@10.0.0.7",
        "redis://:password@[fd00::7]",
        "redis://:password@redis.gluer.internal",
        "rediss://:password@redis.example.org",
        "rediss://:password@8.8.8.8:6380",
    ],
)
def test_production_takes_a_redis_with_a_password_near_by_or_by_tls(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    assert read_settings(monkeypatch, **{**GOOD, "REDIS_URL": url})["REDIS_URL"] == url


@pytest.mark.parametrize("url", ["redis://redis:6379", "redis://:password@redis.example.org"])
def test_an_unprotected_redis_is_taken_by_who_says_so(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    settings = read_settings(monkeypatch, **{**GOOD, "REDIS_URL": url, "GLUER_REDIS_UNPROTECTED": "1"})
    assert settings["REDIS_URL"] == url


def test_what_is_kept_in_redis_runs_no_code(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = read_settings(monkeypatch, **GOOD)
    assert settings["CACHES"]["default"]["OPTIONS"]["serializer"] == "gluer_site.cache.JSONSerializer"
    assert (settings["CELERY_TASK_SERIALIZER"], settings["CELERY_ACCEPT_CONTENT"]) == ("json", ["json"])


def test_production_names_all_that_is_missing_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(WrongEnvironment) as refusal:
        read_settings(monkeypatch, GLUER_MODE="production", GLUER_DEBUG="1")
    named = ("DEBUG", "SECRET_KEY", "LOOKUP_SECRET", "ENCRYPTION_KEYS", "ALLOWED_HOSTS", "REDIS_URL")
    assert all(name in str(refusal.value) for name in named)


def test_wrong_values_are_named_all_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(WrongEnvironment) as refusal:
        read_settings(
            monkeypatch,
            GLUER_MODE="staging",
            GLUER_DEBUG="perhaps",
            GLUER_EMAIL_PORT="99999",
            GLUER_LIMIT_FRAME="big",
            GLUER_SITE_URL="ftp://gluer.example",
        )
    text = str(refusal.value)
    assert "GLUER_MODE='staging': it takes one of embedded, production." in text
    assert "GLUER_DEBUG='perhaps': it takes 1 or 0." in text
    assert "GLUER_EMAIL_PORT='99999': it takes a whole number from 1 to 65535." in text
    assert "GLUER_LIMIT_FRAME='big': it takes a whole number" in text
    assert "GLUER_SITE_URL='…': it takes a URL, http://… or https://…." in text


@pytest.mark.parametrize(
    ("name", "value", "takes"),
    [
        ("GLUER_TRUSTED_PROXIES", "10.0.0.7,proxy.example", "'proxy.example': it takes addresses or networks"),
        ("GLUER_TRUSTED_PROXIES", "10.0.0.1/8", "'10.0.0.1/8': it takes addresses or networks"),
        ("GLUER_REST_RATE", "many", "'many': it takes a number of requests and a time: 10/second"),
        ("GLUER_REST_RATE", "10/fortnight", "it takes a number of requests and a time"),
        ("GLUER_REST_RATE", "0/min", "it takes a number of requests and a time"),
        ("GLUER_LOG_LEVEL", "loud", "'loud': it takes one of DEBUG, INFO"),
        ("GLUER_SITE_URL", "https://", "it takes a URL, http://… or https://…."),
        ("GLUER_RELAY_URL", "wss://[", "it takes a URL, ws://… or wss://…."),
        ("DATABASE_URL", "postgres://gluer:secret@localhost:99999/gluer", "it takes a URL, sqlite://… or postgres://…"),
        ("DATABASE_URL", "var/secret.sqlite3", "it takes a URL, sqlite://… or postgres://…"),
        ("GLUER_ENCRYPTION_KEYS", "secret", "takes Fernet keys separated by commas"),
        ("GLUER_ENCRYPTION_KEYS", f"{GOOD['GLUER_ENCRYPTION_KEYS']},{'secret' * 8}", "takes Fernet keys"),
    ],
)
def test_a_malformed_value_is_named_with_what_it_takes(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, takes: str
) -> None:
    with pytest.raises(WrongEnvironment) as refusal:
        read_settings(monkeypatch, **{**GOOD, name: value})
    [sentence] = str(refusal.value).splitlines()[1:]
    assert name in sentence
    assert takes in sentence
    assert "secret" not in sentence


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GLUER_TRUSTED_PROXIES", "10.0.0.7, 10.1.0.0/16, fd00::/8"),
        ("GLUER_REST_RATE", "10/second"),
        ("GLUER_ENCRYPTION_KEYS", f"{Fernet.generate_key().decode()}, {Fernet.generate_key().decode()}"),
        ("DATABASE_URL", "postgres:///gluer"),
        ("REDIS_URL", "rediss://:password@redis.example:6379"),
    ],
)
def test_every_documented_form_is_taken(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    assert read_settings(monkeypatch, **{**GOOD, name: value})["EMBEDDED"] is False


@pytest.mark.parametrize(
    ("code", "command"),
    [
        (2, ["manage.py", "check"]),
        (1, ["-m", "gluer_site.embedded"]),
        (1, ["-m", "uvicorn", "gluer_site.asgi:application", "--uds", "unused"]),
        (1, ["-m", "celery", "--app", "gluer_site", "report"]),
    ],
)
def test_every_program_says_what_is_wrong_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, code: int, command: list[str]
) -> None:
    monkeypatch.setenv("GLUER_REST_RATE", "many")
    program = [sys.executable, *command]
    done = subprocess.run(program, cwd=SETTINGS.parent.parent, capture_output=True, text=True, timeout=60)
    assert done.returncode == code
    assert "GLUER_REST_RATE='many': it takes" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_wrong_url_is_not_repeated_since_it_may_hold_a_password() -> None:
    env = Environment({"REDIS_URL": "http://:secret@localhost"})
    env.url("REDIS_URL", "", ("redis",))
    with pytest.raises(WrongEnvironment) as refusal:
        env.refuse_wrong()
    assert "secret" not in str(refusal.value)


def test_embedded_needs_nothing_and_keeps_its_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = read_settings(monkeypatch), read_settings(monkeypatch)
    assert first["DEBUG"] is False
    assert len(first["SECRET_KEY"]) >= 50
    assert (first["SECRET_KEY"], first["LOOKUP_SECRET"]) == (second["SECRET_KEY"], second["LOOKUP_SECRET"])
    assert "*" not in first["ALLOWED_HOSTS"]


def test_postgres_is_waited_for_no_longer_than_the_url_says(monkeypatch: pytest.MonkeyPatch) -> None:
    url = "postgres://gluer@db.example/gluer?connect_timeout=7&options=-c%20statement_timeout=0"
    database = read_settings(monkeypatch, **{**GOOD, "DATABASE_URL": url})["DATABASES"]["default"]
    assert database["OPTIONS"]["connect_timeout"] == 7
    assert database["OPTIONS"]["options"] == "-c statement_timeout=0"
    assert database["OPTIONS"]["tcp_user_timeout"] == 10_000
