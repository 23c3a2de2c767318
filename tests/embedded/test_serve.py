"""`python -m gluer_site.serve`, the relay process of production."""

import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.embedded.installation import until
from tests.relay.harness.home import BASE, Home


def serve(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """One that cannot start."""
    command = [sys.executable, "-m", "gluer_site.serve", *arguments]
    environment = Home(home).environment()
    return subprocess.run(command, cwd=BASE, env=environment, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("port", ["0", "65536", "-1", "http", "", "¹"])
def test_what_is_no_port_is_refused(tmp_path: Path, port: str) -> None:
    done = serve(tmp_path, f"--port={port}")
    assert done.returncode == 2
    assert f"a port is a number from 1 to 65535, not '{port}'" in done.stderr


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = serve(tmp_path, "--port", str(port))
    assert done.returncode == 1
    assert done.stderr == (
        f"gluer: port {port} of 127.0.0.1 cannot be used (Address already in use). "
        "Stop what uses it, or choose another: --port, --host\n"
    )


def test_an_unknown_host_is_named(tmp_path: Path) -> None:
    done = serve(tmp_path, "--port", "8000", "--host", "nowhere.invalid")
    assert done.returncode == 1
    assert "port 8000 of nowhere.invalid cannot be used" in done.stderr


@pytest.mark.parametrize("descriptor", ["0", "77"])
def test_what_is_no_listening_socket_is_refused(tmp_path: Path, descriptor: str) -> None:
    done = serve(tmp_path, "--fd", descriptor)
    assert done.returncode == 1
    assert f"descriptor {descriptor} is no listening socket" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("arguments", [[], ["--port", "8000", "--fd", "3"]])
def test_either_a_port_or_a_socket_is_given(tmp_path: Path, arguments: list[str]) -> None:
    assert serve(tmp_path, *arguments).returncode == 2


@pytest.mark.parametrize(("host", "addresses"), [("::1", ["[::1]"]), ("::", ["[::1]", "127.0.0.1"])])
def test_it_listens_on_ipv6_and_says_so(tmp_path: Path, host: str, addresses: list[str]) -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "gluer_site.serve", "--host", host, "--port", str(port)]
    log = tmp_path / "log"
    with open(log, "wb") as written:
        process = subprocess.Popen(command, cwd=BASE, env=Home(tmp_path).environment(), stderr=written)
    try:
        for address in addresses:
            until(lambda address=address: answers(address, port), address)  # type: ignore[misc]
        assert f"Serving on {host} port {port}" in log.read_text()
    finally:
        process.terminate()
        assert process.wait(10) == -15


def answers(address: str, port: int) -> bool:
    try:
        return httpx.options(f"http://{address}:{port}/v1/call/x", trust_env=False, timeout=5).status_code == 204
    except httpx.HTTPError:
        return False
