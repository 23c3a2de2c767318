import json
from pathlib import Path

import pytest
from django.core.management import call_command
from django.test import Client
from pytest_django import Settings

from accounts.models import User
from projects.models import Project


@pytest.fixture
def path(db: None, settings: Settings, tmp_path: Path) -> Path:
    settings.HOME = tmp_path
    return tmp_path / "demo.json"


def test_the_demo_is_made_once(path: Path, client: Client) -> None:
    call_command("make_demo")
    first = json.loads(path.read_text())
    call_command("make_demo")
    assert json.loads(path.read_text()) == first
    assert Project.objects.get().keys.get(kind="private").text == first["private_key"]
    assert not User.objects.get().is_staff
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_demo_account_can_sign_in(path: Path, client: Client) -> None:
    call_command("make_demo")
    demo = json.loads(path.read_text())
    client.post("/accounts/login/", {"login": demo["email"], "password": demo["password"]})
    assert "Demo calculator" in client.get("/ctx").text


def test_a_lost_file_is_written_anew_and_holds(path: Path) -> None:
    call_command("make_demo")
    path.unlink()
    call_command("make_demo")
    assert User.objects.get().check_password(json.loads(path.read_text())["password"])


def test_a_revoked_demo_key_is_replaced(path: Path) -> None:
    call_command("make_demo")
    Project.objects.get().keys.get(kind="private").revoke()
    call_command("make_demo")
    key = Project.objects.get().live_keys("private").get()
    assert json.loads(path.read_text())["private_key"] == key.text


def test_it_prints_no_secret(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("make_demo")
    printed, demo = capsys.readouterr().out, json.loads(path.read_text())
    assert str(path) in printed
    assert demo["password"] not in printed
    assert demo["private_key"] not in printed
