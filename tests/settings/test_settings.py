"""Settings come typed from the environment; wrong and unsafe ones are named, all at once, and refused."""

import os
import runpy
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
    "REDIS_URL": "redis://localhost:6379",
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
    ],
)
def test_production_refuses_an_unsafe_setting_by_name(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    with pytest.raises(WrongEnvironment) as refusal:
        read_settings(monkeypatch, **{**GOOD, name: value})
    sentences = str(refusal.value).splitlines()[1:]
    assert len(sentences) == 1
    assert name in sentences[0]


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
    assert "GLUER_SITE_URL='…': it takes a URL that begins with http:// or https://." in text


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
