"""A system under test: its processes, pinned to one core, in sessions of their own, their output in files."""

# ruff: noqa: S603 (commands are constants; where programs stand differs from machine to machine)

import os
import resource
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

RELAY_CORE, GENERATOR_CORE, BOTH_CORES = "0", "1", "0,1"
READY_WITHIN = 60.0  # s
QUIET_WITHIN = 10.0  # s
DIES_WITH_US = ("setpriv", "--pdeathsig", "KILL")
MARGIN = 500  # file descriptors that are no connections
FOREIGN = ("REDIS_URL", "DATABASE_URL", "GLUER_")  # settings of whoever measures


class Failed(Exception):
    """A system or the generator did not do its part; the sentence says what to look at."""


def most_connections(wanted: int) -> int:
    """As many of them as one process may hold here."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return min(wanted, hard - MARGIN)


def listening_socket() -> socket.socket:
    """On a free loopback port, for a child that is handed its descriptor."""
    return socket.create_server(("127.0.0.1", 0), backlog=4096)


def free_port() -> int:
    """A port nobody listens on."""
    with listening_socket() as free:
        port: int = free.getsockname()[1]
        return port


class Running:
    """What runs, whatever it is made of. Back ends connect to `back_port`, which may be another process's.

    `cores`: where it runs. On both of them, the generator is there, too.
    """

    port: int
    back_port: int
    cores: str

    def wait_ready(self) -> None:
        """Until it answers. Raises Failed."""
        raise NotImplementedError

    def stop(self) -> None:
        """End all its processes."""
        raise NotImplementedError

    @property
    def pids(self) -> list[int]:
        """All its processes."""
        raise NotImplementedError

    def cpu(self) -> float:
        """Seconds it has used."""
        return sum(ticks(Path(f"/proc/{pid}/stat")) for pid in self.pids) / os.sysconf("SC_CLK_TCK")

    def memory(self) -> int:
        """Its proportional set size: bytes of its own, and its share of what it shares."""
        return sum(proportional(Path(f"/proc/{pid}/smaps_rollup")) for pid in self.pids)

    def wait_quiet(self) -> None:
        """Until it has done with what was: no more than 5 % of its core for a fifth of a second."""

        def quiet() -> bool:
            before = self.cpu()
            time.sleep(0.2)
            return self.cpu() - before <= 0.01

        until(quiet, QUIET_WITHIN)

    def pause(self) -> None:
        """Others are measured now."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        for pid in self.pids:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue  # it ended by itself meanwhile


class Process(Running):
    """`command` is started on the relay's core, with `descriptors` handed down."""

    def __init__(
        self,
        command: list[str],
        port: int,
        log: Path,
        env: Mapping[str, str],
        descriptors: tuple[int, ...] = (),
        cores: str = RELAY_CORE,
    ) -> None:
        self.port = self.back_port = port
        self.log, self.cores = log, cores
        with open(log, "ab") as output:
            self.child = subprocess.Popen(
                [*DIES_WITH_US, "taskset", "-c", cores, *command],
                env={**own_environment(), **env},
                pass_fds=descriptors,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait_ready(self) -> None:
        """Until it answers. Raises Failed."""
        until(lambda: self._answers() or self.child.poll() is not None, READY_WITHIN)
        if self.child.poll() is not None or not self._answers():
            raise Failed(f"it did not come up; see the end of {self.log}:\n{self.log.read_text()[-1000:]}")

    def _answers(self) -> bool:
        """Whether HTTP gets any answer; every system here begins with an HTTP upgrade."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=5) as probe:
                probe.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
                return bool(probe.recv(1))
        except OSError:
            return False

    @property
    def pids(self) -> list[int]:
        """All processes of its session."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and session_of(entry) == self.child.pid:
                found.append(int(entry.name))
        return found

    def stop(self) -> None:
        """End all its processes."""
        self._signal(signal.SIGKILL)
        self.child.wait(20)


@dataclass
class Started:
    """A running system; `env` is what the generator has to know."""

    process: Running
    env: dict[str, str] = field(default_factory=dict)


def own_environment() -> dict[str, str]:
    """This process's, without settings of another Gluer."""
    return {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}


def session_of(entry: Path) -> int | None:
    """The session of a process in /proc; None when it is gone."""
    try:
        return int((entry / "stat").read_text().rpartition(")")[2].split()[3])
    except OSError:
        return None


def ticks(stat: Path) -> int:
    """User and system time in clock ticks."""
    fields = stat.read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def proportional(rollup: Path) -> int:
    """Pss in bytes."""
    line = next(line for line in rollup.read_text().splitlines() if line.startswith("Pss:"))
    return int(line.split()[1]) * 1024


def until(condition: Callable[[], bool], seconds: float) -> bool:
    """Whether it comes true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
