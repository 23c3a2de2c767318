"""The folder of an embedded Gluer cannot be written: each program says so in a sentence, and goes on when it can again.

Root may write where others may not, so a limit of the size of files stands for a full disk: the kernel refuses to write
beyond it, and root, who runs the tests in containers, has to obey too.
"""

import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.cluster.test_mails import FORM, TOKEN
from tests.embedded.installation import BASE, Installation, until

SENTENCE = "Make room on its disk or make it writable, or choose another folder: GLUER_HOME=…"


def started(installation: Installation, largest_file: int = -1) -> subprocess.CompletedProcess[str]:
    """`make run` where no file may be larger than so many bytes, to its end."""
    return subprocess.run(
        [sys.executable, "-m", "gluer_site.embedded"],
        cwd=BASE,
        env=installation.environment,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, resource.RLIM_INFINITY)),
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize("largest_file", [0, 4_096, 65_536])
def test_a_start_on_a_full_disk_ends_with_a_sentence(tmp_path: Path, largest_file: int) -> None:
    """0: no secrets; 4,096: no database; 65,536: the database ends in the middle of its migrations."""
    done = started(Installation(tmp_path, demo=False), largest_file)
    assert done.returncode == 1
    assert SENTENCE in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_a_start_below_a_file_ends_with_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "var").write_text("")
    done = started(Installation(tmp_path, demo=False))
    assert (done.returncode, done.stdout) == (1, "")
    assert SENTENCE in done.stderr
    assert "Traceback" not in done.stderr


def test_a_lock_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "var/lock").mkdir(parents=True)
    done = started(Installation(tmp_path, demo=False))
    assert (done.returncode, done.stdout) == (1, "")
    assert SENTENCE in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Installation]:
    installation = Installation(tmp_path, demo=False)
    installation.start()
    yield installation
    installation.interrupt()


def test_a_disk_that_is_full_for_a_while(running: Installation) -> None:
    programs = [*running.processes("embedded.web"), *running.processes("embedded.worker")]
    with httpx.Client(base_url=running.url, trust_env=False, timeout=30) as browser:
        assert sign_up(browser, "before") == 302
        limit(programs, 0)
        for name in ("first", "second"):
            assert sign_up(browser, name) == 503
        until(lambda: "worker | " in running.printed() and "Tasks fail" in running.printed(), "the worker's word", 30)
        limit(programs, resource.RLIM_INFINITY)
        assert sign_up(browser, "afterwards") == 302
        until(lambda: "Tasks succeed again" in running.printed(), "the worker's word", 60)
    printed = running.printed()
    assert printed.count("Changes are answered with 503, since the folder") == 1
    assert printed.count("Changes succeed again") == 1
    assert printed.count("Tasks fail and are tried again, since the folder") == 1
    assert "Traceback" not in printed


def sign_up(browser: httpx.Client, name: str) -> int:
    """Fill the form in and send it; the answer's status. A page that does not come is the answer."""
    page = browser.get("/accounts/signup/")
    found = TOKEN.search(page.text)
    if not found:
        assert "The disk of this site is full or cannot be written" in page.text
        return page.status_code
    form = {**FORM, "email": f"{name}@example.org", "csrfmiddlewaretoken": found[1]}
    return browser.post("/accounts/signup/", data=form).status_code


def limit(programs: list[int], largest_file: int) -> None:
    for number in programs:
        resource.prlimit(number, resource.RLIMIT_FSIZE, (largest_file, resource.RLIM_INFINITY))
