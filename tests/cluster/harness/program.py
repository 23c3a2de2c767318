"""A server program of the cluster: one process that dies with the tests, can be killed, frozen and started again."""

import os
import pwd
import signal
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from gluer_site.embedded.child import LIBC, PR_SET_PDEATHSIG


class Program:
    """`ends_by`: the signal that ends all its processes at once, not only the first one."""

    def __init__(self, log: Path, *, ends_by: int = signal.SIGKILL, user: str | None = None) -> None:
        self.log, self.ends_by, self.user = log, ends_by, user
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, command: Sequence[str]) -> None:
        account = pwd.getpwnam(self.user) if self.user else None
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(  # noqa: PLW1509, RUF100
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                user=account and account.pw_uid,
                group=account and account.pw_gid,
                extra_groups=[] if account else None,
                preexec_fn=dies_with(os.getpid(), self.ends_by),
                cwd="/",
            )

    @property
    def runs(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def send(self, number: int) -> None:
        assert self.process
        os.kill(self.process.pid, number)

    def kill(self) -> None:
        """Kill -9, all its processes."""
        if self.process and self.runs:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(20)

    def end(self, number: int, patience: float = 20) -> None:
        """Ask it to end by this signal, and wait until it has."""
        if self.process and self.runs:
            self.send(signal.SIGCONT)
            self.send(number)
            self.process.wait(patience)

    def freeze(self) -> None:
        """It does nothing any more; its sockets still take what comes."""
        self.send(signal.SIGSTOP)

    def go_on(self) -> None:
        """As if nothing had been."""
        self.send(signal.SIGCONT)

    def printed(self) -> str:
        return self.log.read_text(errors="replace")


def dies_with(parent: int, number: int) -> Callable[[], None]:
    """What the new process does before it becomes the program: ask for this signal when `parent` dies."""

    def tie() -> None:
        if LIBC:
            LIBC.prctl(PR_SET_PDEATHSIG, number)
        if os.getppid() != parent:  # it died before the line above
            os._exit(1)

    return tie
