import base64
import hashlib
import html
import os
from pathlib import Path

import pytest
from django.test import Client
from pytest_django import Settings

from accounts.models import User
from projects.models import Project

PATH = "/sdk/gluer-js.umd.js"
VERBATIM = Path(__file__).resolve().parents[2] / "sdks/examples/verbatim"
PACKAGES = ("gluer-js", "gluer-nodejs")


@pytest.fixture
def built(settings: Settings, tmp_path: Path) -> Path:
    settings.BASE_DIR = tmp_path
    file = tmp_path / "sdks/gluer-js/dist/gluer-js.umd.js"
    file.parent.mkdir(parents=True)
    file.write_text("var gluer = 1;")
    return file


@pytest.fixture
def packed(settings: Settings, tmp_path: Path) -> Path:
    """Both packages in version 0.2.0, beside an old tarball of each."""
    settings.BASE_DIR = tmp_path
    folder = tmp_path / "sdks/packed"
    folder.mkdir(parents=True)
    for name in PACKAGES:
        (tmp_path / "sdks" / name).mkdir(exist_ok=True)
        (tmp_path / "sdks" / name / "package.json").write_text('{"version": "0.2.0"}')
        (folder / f"{name}-0.1.0.tgz").write_bytes(b"old")
        (folder / f"{name}-0.2.0.tgz").write_bytes(name.encode())
    return folder


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
    assert "make build" in answer.text


@pytest.mark.parametrize("name", PACKAGES)
def test_npm_gets_the_package_of_this_version(packed: Path, client: Client, name: str) -> None:
    answer = client.get(f"/sdk/{name}.tgz")
    assert answer.content == name.encode()
    assert answer["Content-Type"] == "application/gzip"
    assert f'filename="{name}-0.2.0.tgz"' in answer["Content-Disposition"]
    assert answer["Access-Control-Allow-Origin"] == "*"
    assert "no-cache" in answer["Cache-Control"]


def test_an_unchanged_package_is_not_sent_again(packed: Path, client: Client) -> None:
    tag = client.get("/sdk/gluer-js.tgz")["ETag"]
    answer = client.get("/sdk/gluer-js.tgz", headers={"if-none-match": tag})
    assert (answer.status_code, answer.content) == (304, b"")
    assert client.get("/sdk/gluer-nodejs.tgz", headers={"if-none-match": tag}).status_code == 200


def test_a_package_that_is_not_packed_says_how_to_build_it(packed: Path, client: Client) -> None:
    (packed / "gluer-nodejs-0.2.0.tgz").unlink()
    answer = client.get("/sdk/gluer-nodejs.tgz")
    assert answer.status_code == 404
    assert answer.text == "The package gluer-nodejs is not built on this server. Run `make build`.\n"
    assert answer["Cache-Control"] == "no-store"


def test_the_pages_show_how_to_install_from_here_and_where_the_relay_is(
    packed: Path, settings: Settings, alice: User, project: Project, client: Client
) -> None:
    settings.SITE_URL, settings.RELAY_URL = "https://gluer.example", "wss://relay.example"
    client.force_login(alice)
    for page in (client.get(f"/ctx/projects/{project.id}").text, client.get("/docs").text):
        for name in PACKAGES:
            assert f"npm install https://gluer.example/sdk/{name}.tgz" in page
        assert "GLUER_URL=wss://relay.example node server.js" in page
        assert "url: 'wss://relay.example'" in page


def test_the_snippets_are_the_verbatim_code_where_no_url_is_needed(settings: Settings, client: Client) -> None:
    settings.RELAY_URL = "wss://ws.gluer.io"
    page = html.unescape(client.get("/docs").text)
    for name in ("server.js", "app.js"):
        assert (VERBATIM / name).read_text() in page


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
