"""A relay that hangs is noticed: what it tells of its event loop, and the process that listens to it."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.embedded.installation import free_port, until
from tests.relay.harness.home import BASE, Home

# A program with a heartbeat, whose event loop the argument holds up when SIGUSR1 comes.
PROGRAM = """
import asyncio, os, signal, sys, time
from gluer_site.heartbeat import Heartbeat
async def main():
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, lambda: exec(sys.argv[1]))
    Heartbeat(os.environ).start()
    print(os.getpid(), flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""
WATCH = "import sys; from gluer_site.watch import watch; sys.exit(watch(sys.argv[1:], silent=2, start=10))"


def watched(*command: str) -> "subprocess.Popen[str]":
    """The command below a watcher that waits for 2 s only."""
    return subprocess.Popen(
        [sys.executable, "-c", WATCH, *command], cwd=BASE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.mark.parametrize("hang", ["os.kill(os.getpid(), signal.SIGSTOP)", "while True: pass", "time.sleep(60)"])
def test_a_process_that_hangs_is_killed_and_its_watcher_ends(hang: str) -> None:
    watcher = watched(sys.executable, "-c", PROGRAM, hang)
    assert watcher.stdout
    number = int(watcher.stdout.readline())
    os.kill(number, signal.SIGUSR1)
    _, said = watcher.communicate(timeout=30)
    assert watcher.returncode == 128 + signal.SIGKILL
    assert "the relay hangs and is killed" in said
    assert not Path(f"/proc/{number}").exists()


def test_a_process_that_beats_goes_on_and_gets_its_signal() -> None:
    watcher = watched(sys.executable, "-c", PROGRAM, "print('turns', flush=True)")
    assert watcher.stdout
    number = int(watcher.stdout.readline())
    with pytest.raises(subprocess.TimeoutExpired):
        watcher.wait(4)  # twice the time after which a silent one is killed
    os.kill(number, signal.SIGUSR1)
    assert watcher.stdout.readline() == "turns\n"
    watcher.terminate()
    watcher.communicate(timeout=10)
    assert watcher.returncode == 128 + signal.SIGTERM


def test_a_pause_of_the_watcher_is_not_taken_for_silence() -> None:
    watcher = watched(sys.executable, "-c", PROGRAM, "print('turns', flush=True)")
    assert watcher.stdout
    number = int(watcher.stdout.readline())
    both = (watcher.pid, number)  # as a container that is frozen
    for process in both:
        os.kill(process, signal.SIGSTOP)
    with pytest.raises(subprocess.TimeoutExpired):
        watcher.wait(4)
    for process in both:
        os.kill(process, signal.SIGCONT)
    os.kill(number, signal.SIGUSR1)
    assert watcher.stdout.readline() == "turns\n"
    watcher.terminate()
    watcher.communicate(timeout=10)


def test_a_process_dies_with_its_watcher() -> None:
    watcher = watched(sys.executable, "-c", PROGRAM, "")
    assert watcher.stdout
    number = int(watcher.stdout.readline())
    watcher.kill()
    watcher.communicate(timeout=10)
    until(lambda: not Path(f"/proc/{number}").exists(), "its end", 10)


@pytest.fixture(params=["path", "abstract"])
def supervisor(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    """The socket on which systemd listens, and its address as it tells it."""
    name = str(tmp_path / "notify") if request.param == "path" else f"@gluer-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(name.replace("@", "\0"))
        listener.settimeout(30)
        yield listener, name


def test_a_relay_says_that_it_is_ready_and_that_its_loop_turns(
    supervisor: tuple[socket.socket, str], tmp_path: Path
) -> None:
    listener, address = supervisor
    command = [sys.executable, "-m", "gluer_site.serve", "--port", str(free_port())]
    told = Home(tmp_path).environment() | {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "300000"}
    relay = subprocess.Popen(command, cwd=BASE, env=told)
    try:
        assert [listener.recv(100) for _ in range(3)] == [b"READY=1", b"WATCHDOG=1", b"WATCHDOG=1"]
        relay.send_signal(signal.SIGSTOP)
        listener.settimeout(1)
        with suppress(TimeoutError):
            listener.recv(100)  # what it said before
        with pytest.raises(TimeoutError):
            listener.recv(100)
    finally:
        relay.kill()
        relay.wait(10)
