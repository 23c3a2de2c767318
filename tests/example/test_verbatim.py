"""The README's promise: sign up, make a project, copy two keys into two files, see 5 + 3 = 8, in Node and Chromium."""

import base64
import contextlib
import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.embedded.installation import BASE, Installation, until
from tests.example import programs
from tests.example.visitor import Keys, Visitor, found

EXPECTED = ("5 + 3 = 8", "4 * 7 = 28")
LOG_THE_SUM = """<script>
  new MutationObserver(([change]) => console.log(change.target.textContent)).observe(sum, { childList: true });
</script>"""


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    made = Installation(tmp_path_factory.mktemp("installation"), demo=False)
    made.start()
    yield made
    made.interrupt()


@pytest.fixture(scope="module")
def visitor(installation: Installation) -> Iterator[Visitor]:
    dora = Visitor(installation)
    dora.sign_up("Dora", "dora@example.org")
    yield dora
    dora.browser.close()


@pytest.fixture(scope="module")
def project(visitor: Visitor) -> str:
    return visitor.new_project("Calculator")


@pytest.fixture(scope="module")
def keys(visitor: Visitor, project: str) -> Keys:
    return visitor.keys(project)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, keys: Keys, installation: Installation) -> Path:
    """Where both SDKs are installed from the site, with the back end's file."""
    made = tmp_path_factory.mktemp("calculator")
    programs.install(made, installation.url)
    programs.write_back_end(made, keys)
    return made


@pytest.fixture(scope="module", autouse=True)
def back_end(folder: Path, visitor: Visitor, project: str) -> Iterator[None]:
    with connected(folder, visitor, project):
        yield


@contextlib.contextmanager
def connected(folder: Path, visitor: Visitor, project: str) -> Iterator[None]:
    """The folder's server.js, once the project's page shows its last function."""
    with programs.running("node", "server.js", folder=folder) as log:
        programs.until_printed(log, "Backend connected to Gluer!")
        until(lambda: "<code>calculator:multiply</code>" in visitor.browser.get(project).text, "the server on the page")
        yield


def test_in_node(folder: Path, keys: Keys) -> None:
    programs.write_front_end(folder, keys)
    with programs.running(*programs.node_with_websocket(), "app.js", folder=folder) as log:
        programs.until_printed(log, *EXPECTED)


def test_in_chromium(folder: Path, keys: Keys, tmp_path: Path) -> None:
    programs.require_chromium()
    programs.write_front_end(folder, keys)
    (folder / "index.html").write_text(programs.PAGE)
    with programs.web_server(folder) as url:
        profile = f"--user-data-dir={tmp_path / 'profile'}"
        with programs.running(*programs.CHROMIUM, profile, url, folder=tmp_path) as log:
            programs.until_printed(log, *EXPECTED)


def test_by_script_tag_in_chromium(folder: Path, keys: Keys, tmp_path: Path, installation: Installation) -> None:
    programs.require_chromium()
    page = found(re.compile(r"```html\n(.*?)```", re.DOTALL), (BASE / "README.md").read_text())
    page = page.replace("YOUR_PUBLIC_KEY", keys.public).replace("localhost:8000", f"localhost:{installation.port}")
    (tmp_path / "app.html").write_text(page + LOG_THE_SUM)
    profile, address = f"--user-data-dir={tmp_path / 'profile'}", (tmp_path / "app.html").as_uri()
    with programs.running(*programs.CHROMIUM, profile, address, folder=tmp_path) as log:
        programs.until_printed(log, '"5 + 3 = 8"')


def test_over_http(installation: Installation, keys: Keys) -> None:
    answer = call_over_http(installation, keys)
    assert (answer.status_code, answer.json()) == (200, {"data": {"result": 8}})


def test_the_site_serves_the_bytes_whose_hash_stands_in_npms_lock_file(folder: Path) -> None:
    installed = json.loads((folder / "package-lock.json").read_text())["packages"]
    for sdk in ("gluer-js", "gluer-nodejs"):
        package = installed[f"node_modules/{sdk}"]
        digest = hashlib.sha512(httpx.get(package["resolved"]).content).digest()
        assert package["integrity"] == f"sha512-{base64.b64encode(digest).decode()}"


def test_calls_are_counted_each_once(folder: Path, visitor: Visitor, installation: Installation) -> None:
    own_project, own_folder = visitor.new_project("Counted"), folder / "counted"
    keys = visitor.keys(own_project)

    def counted() -> str:
        page = visitor.browser.get(own_project).text
        return found(re.compile(r"<strong>([\d,]+)</strong> by this project"), page)

    own_folder.mkdir()
    programs.write_back_end(own_folder, keys)
    with connected(own_folder, visitor, own_project):
        assert counted() == "0"
        for _ in range(3):
            assert call_over_http(installation, keys).status_code == 200
        until(lambda: counted() == "3", "the count", seconds=10)


def call_over_http(installation: Installation, keys: Keys) -> httpx.Response:
    return httpx.post(
        f"{installation.url}/v1/call/calculator:add",
        headers={"Authorization": f"Bearer {keys.public}"},
        json={"a": 5, "b": 3},
    )


def test_the_project_page_has_the_readmes_commands(visitor: Visitor, project: str, installation: Installation) -> None:
    page = visitor.browser.get(project).text
    readme = (BASE / "README.md").read_text().replace("localhost:8000", f"localhost:{installation.port}")
    for sdk in ("gluer-js", "gluer-nodejs"):
        assert f"npm install {installation.url}/sdk/{sdk}.tgz" in page
        assert f"npm install {installation.url}/sdk/{sdk}.tgz" in readme
    assert "<code>node server.js</code>" in page
    assert "\nnode server.js\n" in readme


def test_the_readme_has_the_verbatim_code() -> None:
    readme = (BASE / "README.md").read_text()
    for name in ("server.js", "app.js"):
        assert (programs.VERBATIM / name).read_text() in readme
