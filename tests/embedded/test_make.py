"""`make test` as a whole, with programs in place of its parts."""

import os
import subprocess
from pathlib import Path

from tests.relay.harness.home import BASE

MADE = [
    ".venv/.runs",
    ".venv/.tests",
    "sdks/node_modules/.installed",
    "sdks/node_modules/.built",
    "chromium",
    "servers",
]


def make_test(folder: Path, python: str, npm: str) -> subprocess.CompletedProcess[str]:
    """`python`, `npm`: scripts that stand in for these; nothing is installed or built."""
    for name, script in (("python", python), ("npm", npm)):
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
    command = ["make", "test", f"PYTHON={folder}/python", *(f"--assume-old={name}" for name in MADE)]
    path = {"PATH": f"{folder}:{os.environ['PATH']}"}
    return subprocess.run(command, cwd=BASE, env=path, capture_output=True, text=True, timeout=60)


FAILS = 'case "$*" in *pytest*) exit 1;; esac'


def test_make_test_runs_all_parts_and_names_those_that_failed(tmp_path: Path) -> None:
    done = make_test(tmp_path, FAILS, "echo npm runs: $*")
    assert "npm runs: test" in done.stdout
    assert "make test: failed: pytest\n" in done.stdout
    assert "failed: npm" not in done.stdout
    assert done.returncode != 0


def test_make_test_fails_by_its_last_part_and_succeeds_by_all(tmp_path: Path) -> None:
    assert "make test: failed: npm test\n" in make_test(tmp_path, "true", "exit 1").stdout
    assert make_test(tmp_path, "true", "true").returncode == 0
