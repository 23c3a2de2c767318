"""The folder of an embedded Gluer cannot be written: each program says so in a sentence, and goes on when it can again.

Root may write where others may not, so a limit of the size of files stands for a full disk: the kernel refuses to write
beyond it, and root, who runs the tests in containers, has to obey too.
"""

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from tests.embedded.installation import BASE, Installation

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
