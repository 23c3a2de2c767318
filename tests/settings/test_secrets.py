"""The embedded mode's secrets are made once, whoever comes first, and are their owner's alone."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from gluer_site.secrets import installation_secrets

BASE = Path(__file__).parents[2]
RACER = """
import json, pathlib, sys
from gluer_site.secrets import installation_secrets
print("ready", flush=True)
sys.stdin.readline()
print(json.dumps(installation_secrets(pathlib.Path(sys.argv[1]))))
"""


def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    installation_secrets(tmp_path)
    assert stat.S_IMODE((tmp_path / "secrets.json").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["secrets.json"]


@pytest.mark.parametrize(
    "command",
    [
        ["manage.py", "migrate", "--verbosity=0"],
        ["manage.py", "collectstatic", "--noinput", "--verbosity=0"],
        ["-m", "celery", "--app", "gluer_site", "report"],
        ["-c", "import gluer_site.asgi"],
        ["-m", "gluer_site.embedded.prepare"],
    ],
)
def test_what_any_program_writes_is_its_users_alone(tmp_path: Path, command: list[str]) -> None:
    home = tmp_path / "home"
    environment = {**os.environ, "GLUER_HOME": str(home)}
    subprocess.run([sys.executable, *command], cwd=BASE, env=environment, check=True, umask=0o022, timeout=120)
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    written = [path for path in home.rglob("*") if "staticfiles" not in path.parts]
    assert home / "secrets.json" in written
    assert [path.name for path in written if stat.S_IMODE(path.stat().st_mode) & 0o077] == []


def test_two_installations_share_no_secret(tmp_path: Path) -> None:
    one, other = installation_secrets(tmp_path / "one"), installation_secrets(tmp_path / "other")
    assert set(one.values()).isdisjoint(other.values())


def test_processes_that_start_together_agree(tmp_path: Path) -> None:
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RACER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    for racer in racers:
        assert racer.stdout
        assert racer.stdout.readline() == "ready\n"
    for racer in racers:
        assert racer.stdin
        racer.stdin.write("\n")
        racer.stdin.flush()
    answers = [json.loads(racer.communicate(timeout=30)[0]) for racer in racers]
    assert answers == [installation_secrets(tmp_path)] * len(racers)
