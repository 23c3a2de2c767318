import base64
import hashlib
import os
from pathlib import Path

import pytest
from django.test import Client
from pytest_django import Settings

from accounts.models import User
from projects.models import Project

PATH = "/sdk/gluer-js.umd.js"


@pytest.fixture
def built(settings: Settings, tmp_path: Path) -> Path:
    settings.BASE_DIR = tmp_path
    file = tmp_path / "sdks/gluer-js/dist/gluer-js.umd.js"
    file.parent.mkdir(parents=True)
    file.write_text("var gluer = 1;")
    return file


def test_the_sdk_is_for_pages_of_any_origin(built: Path, client: Client) -> None:
    answer = client.get(PATH)
    assert answer.text == "var gluer = 1;"
    assert answer["Access-Control-Allow-Origin"] == "*"
    assert answer["Content-Type"] == "text/javascript; charset=utf-8"
    assert "no-cache" in answer["Cache-Control"]


def test_an_unchanged_sdk_is_not_sent_again(built: Path, client: Client) -> None:
    tag = client.get(PATH)["ETag"]
    answer = client.get(PATH, headers={"if-none-match": tag})
    assert (answer.status_code, answer.content) == (304, b"")
    built.write_text("var gluer = 2;")
    os.utime(built, ns=(1, 1))
    assert client.get(PATH, headers={"if-none-match": tag}).text == "var gluer = 2;"


def test_a_missing_sdk_says_how_to_build_it(settings: Settings, tmp_path: Path, client: Client) -> None:
    settings.BASE_DIR = tmp_path
    answer = client.get(PATH)
    assert answer.status_code == 404
    assert "make run" in answer.text


def test_the_project_page_shows_the_tag_with_its_hash(
    built: Path, alice: User, project: Project, client: Client
) -> None:
    client.force_login(alice)
    digest = base64.b64encode(hashlib.sha384(b"var gluer = 1;").digest()).decode()
    assert f'integrity="sha384-{digest}"' in client.get(f"/ctx/projects/{project.id}").text


def test_the_project_page_says_when_there_is_none(
    settings: Settings, tmp_path: Path, alice: User, project: Project, client: Client
) -> None:
    settings.BASE_DIR = tmp_path
    client.force_login(alice)
    assert "not built on this server" in client.get(f"/ctx/projects/{project.id}").text
