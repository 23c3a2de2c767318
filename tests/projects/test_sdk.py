import base64
import gzip
import hashlib
import html
import io
import os
import tarfile
from pathlib import Path

import pytest
from django.test import Client
from pytest_django import Settings

from accounts.models import User
from projects.models import Project

PATH = "/sdk/gluer-js.umd.js"
VERBATIM = Path(__file__).resolve().parents[2] / "sdks/examples/verbatim"
PACKAGES = ("gluer-js", "gluer-nodejs")
BUILT = 'const DEFAULT_URL = "wss://ws.gluer.io";'


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
    settings.RELAY_URL = "wss://relay.example"
    folder = tmp_path / "sdks/packed"
    folder.mkdir(parents=True)
    for name in PACKAGES:
        (tmp_path / "sdks" / name).mkdir(exist_ok=True)
        (tmp_path / "sdks" / name / "package.json").write_text('{"version": "0.2.0"}')
        (folder / f"{name}-0.1.0.tgz").write_bytes(b"old")
        pack(folder / f"{name}-0.2.0.tgz", {"package/dist/index.js": BUILT, "package/README.md": name})
    return folder


def pack(file: Path, files: dict[str, str], level: int = 9) -> None:
    """A tarball as `npm pack` makes it."""
    with tarfile.open(file, "w:gz", compresslevel=level) as tarball:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mtime = len(text), file.parent.stat().st_mtime_ns // 10**9
            tarball.addfile(entry, io.BytesIO(text.encode()))


def unpacked(package: bytes) -> dict[str, str]:
    with tarfile.open(fileobj=io.BytesIO(package)) as tarball:
        files = {member.name: tarball.extractfile(member) for member in tarball}
        return {name: file.read().decode() for name, file in files.items() if file}


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
    assert unpacked(answer.content)["package/README.md"] == name
    assert answer["Content-Type"] == "application/gzip"
    assert f'filename="{name}-0.2.0.tgz"' in answer["Content-Disposition"]
    assert answer["Access-Control-Allow-Origin"] == "*"
    assert "no-cache" in answer["Cache-Control"]


def test_a_package_and_the_script_connect_to_the_site_that_they_came_from(
    packed: Path, built: Path, settings: Settings, client: Client
) -> None:
    built.write_text(BUILT)
    for url in ("wss://relay.example", "ws://localhost:8000"):
        settings.RELAY_URL = url
        assert client.get(PATH).text == f'const DEFAULT_URL = "{url}";'
        for name in PACKAGES:
            files = unpacked(client.get(f"/sdk/{name}.tgz").content)
            assert files["package/dist/index.js"] == f'const DEFAULT_URL = "{url}";'


def test_what_stands_in_a_relays_url_is_no_code(packed: Path, settings: Settings, client: Client) -> None:
    settings.RELAY_URL = "wss://relay.example/\"'`${alert(1)}*/\\</script>"
    file = unpacked(client.get("/sdk/gluer-js.tgz").content)["package/dist/index.js"]
    url = file.removeprefix('const DEFAULT_URL = "').removesuffix('";')
    assert url.startswith("wss://relay.example/%22")
    assert not set("\"'`${}()*\\<>") & set(url)


def test_one_build_makes_the_same_package_on_every_machine(packed: Path, settings: Settings, client: Client) -> None:
    first = client.get("/sdk/gluer-js.tgz").content
    assert len(gzip.decompress(first)) % tarfile.RECORDSIZE == 0  # its check sum is right
    files = {"package/README.md": "gluer-js", "package/dist/index.js": BUILT, "package/dist/big": "x" * 200_000}
    big = []
    for order, level in ((list(files), 9), (list(files)[::-1], 1)):
        file = packed / "gluer-js-0.2.0.tgz"
        pack(file, {name: files[name] for name in order}, level)
        os.utime(file, ns=(level, level))
        big.append(client.get("/sdk/gluer-js.tgz").content)
    assert big[0] == big[1] != first
    assert unpacked(big[0])["package/dist/big"] == "x" * 200_000


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


def test_the_pages_show_how_to_install_from_here_and_where_these_packages_connect(
    packed: Path, settings: Settings, alice: User, project: Project, client: Client
) -> None:
    settings.SITE_URL, settings.RELAY_URL = "https://gluer.example", "wss://relay.example"
    client.force_login(alice)
    for page in (client.get(f"/ctx/projects/{project.id}").text, client.get("/docs").text):
        for name in PACKAGES:
            assert f"npm install https://gluer.example/sdk/{name}.tgz" in page
        assert "connects to <code>wss://relay.example</code>" in page
        assert "<code>node server.js</code>" in page
        assert "gluer.setup({ project: " in page


def test_the_snippets_are_the_verbatim_code_where_no_url_is_needed(settings: Settings, client: Client) -> None:
    settings.RELAY_URL = "wss://ws.gluer.io"
    page = html.unescape(client.get("/docs").text)
    for name in ("server.js", "app.js"):
        assert (VERBATIM / name).read_text() in page


def test_the_docs_show_a_call_without_an_sdk(settings: Settings, client: Client) -> None:
    settings.SITE_URL = "https://gluer.example"
    page = html.unescape(client.get("/docs").text)
    assert "curl -s https://gluer.example/v1/call/calculator:add" in page
    assert "-H 'Authorization: Bearer YOUR_PUBLIC_KEY'" in page


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
