"""What of deploy/ can be checked without the programs that read it."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from gluer_site.secrets import new_secrets
from tests.relay.harness.home import BASE

DEPLOY = BASE / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
DRAIN = 23  # s that a relay takes to end, at most
COMPOSE_ONLY = re.compile(r"POSTGRES_PASSWORD|REDIS(_WORKER)?_PASSWORD|TLS_FOLDER|ACME_FOLDER|HTTPS?_PORT|GLUER_IMAGE")
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]


def example() -> dict[str, str]:
    """env.example as compose and systemd read it."""
    lines = (DEPLOY / "env.example").read_text().splitlines()
    pairs = (line.split("=", 1) for line in lines if line and not line.startswith("#"))
    return {name: value[1:-1] if value.startswith('"') else value for name, value in pairs}


def checked(settings: dict[str, str], home: Path) -> subprocess.CompletedProcess[str]:
    """`manage.py check` with these settings and no others."""
    command = [sys.executable, "-W", "ignore", "manage.py", "check"]
    environment = {"PATH": os.environ["PATH"], "GLUER_HOME": str(home), **settings}
    return subprocess.run(command, cwd=BASE, env=environment, capture_output=True, text=True, timeout=60)


def test_the_example_filled_in_is_a_whole_environment(tmp_path: Path) -> None:
    secrets = {name: value for name, value in new_secrets().items() if name in example()}
    assert len(secrets) == 3
    done = checked(example() | secrets, tmp_path)
    assert done.returncode == 0, done.stderr


def test_the_example_as_it_is_names_what_is_missing(tmp_path: Path) -> None:
    refused = checked(example(), tmp_path)
    assert refused.returncode != 0
    for name in ("GLUER_SECRET_KEY", "GLUER_LOOKUP_SECRET", "GLUER_ENCRYPTION_KEYS"):
        assert name in refused.stderr


def test_a_shell_reads_the_same_from_the_example() -> None:
    command = ["sh", "-euc", "set -a; . deploy/env.example; env -0"]
    done = subprocess.run(command, cwd=BASE, env={}, capture_output=True, text=True, timeout=10, check=True)
    read = dict(line.split("=", 1) for line in done.stdout.split("\0") if line)
    assert {name: read.get(name) for name in example()} == example()


def test_the_example_names_no_setting_that_nobody_reads() -> None:
    documented = (BASE / "docs/settings.md").read_text()
    assert [name for name in example() if f"`{name}`" not in documented and not COMPOSE_ONLY.fullmatch(name)] == []


def test_compose_uses_no_variable_that_the_example_lacks() -> None:
    used = set(re.findall(r"(?<!\$)\$\{(\w+)", (DEPLOY / "compose.yaml").read_text()))
    assert used <= set(example())


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_bounded_and_can_write_nowhere(name: str) -> None:
    service = SERVICES[name]
    limits = service["deploy"]["resources"]["limits"]
    assert set(limits) == {"cpus", "memory", "pids"}
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["restart"] == ("no" if name == "migrate" else "unless-stopped")


def test_compose_s_nginx_finds_the_relays_and_is_whom_they_trust() -> None:
    upstreams = re.findall(r"server (\w+):8000 ", (DEPLOY / "nginx.conf").read_text())
    assert upstreams == [name for name in SERVICES if name.startswith("relay")]
    addresses = {name: SERVICES[name]["networks"]["inside"]["ipv4_address"] for name in [*upstreams, "nginx"]}
    assert len(set(addresses.values())) == len(addresses)
    assert {SERVICES[name]["environment"]["GLUER_TRUSTED_PROXIES"] for name in upstreams} == {addresses["nginx"]}


def test_a_relay_has_the_time_it_needs_to_drain() -> None:
    assert all(int(SERVICES[name]["stop_grace_period"].rstrip("s")) > DRAIN for name in ("relay1", "relay2"))
    unit = (DEPLOY / "systemd/gluer-relay@.service").read_text()
    assert int(re.findall(r"^TimeoutStopSec=(\d+)", unit, re.MULTILINE)[0]) > DRAIN


def test_a_relay_has_the_memory_that_its_limits_allow() -> None:
    told = re.search(r"has less than (\d+) GiB", (BASE / "docs/limits.md").read_text())
    assert told
    unit = (DEPLOY / "systemd/gluer-relay@.service").read_text()
    assert re.search(rf"^MemoryMax={told[1]}G$", unit, re.MULTILINE)
    assert SERVICES["relay1"]["deploy"]["resources"]["limits"]["memory"] == f"{told[1]}g"


def test_the_image_is_made_of_what_is_there() -> None:
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    sources = [
        part
        for line in re.findall(r"^COPY (?!--from)(.+)$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)
        for part in line.split()[:-1]
    ]
    assert [part for part in sources if not (BASE / part).exists()] == []
    assert {f"!{part.split('/')[0]}" for part in sources} <= set(ignored)
    apps = {path.parent.name for path in BASE.glob("*/__init__.py")} - {"bench", "protocol", "tests"}
    assert apps <= set(sources)


def test_systemd_takes_the_units(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        return  # the head of the run says so
    for unit in UNITS:  # the programs are not installed where they will be
        text = re.sub(r"/opt/gluer/\.venv/bin/\w+", "/bin/true", unit.read_text())
        (tmp_path / unit.name.replace("@", "@8001")).write_text(text)
    paths = [str(path) for path in tmp_path.iterdir()]
    done = subprocess.run(["systemd-analyze", "verify", *paths], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def test_units_differ_only_in_what_they_run() -> None:
    hardening = {unit.read_text().partition("NoNewPrivileges")[2] for unit in UNITS}
    assert len(hardening) == 1


def test_alarms_name_figures_that_there_are() -> None:
    named, described = (
        set(re.findall(r"\b(?:gluer|process)_[a-z_]+\b(?![./])", (BASE / "docs" / document).read_text()))
        for document in ("operations.md", "metrics.md")
    )
    assert len(named) > 10
    assert named <= described
