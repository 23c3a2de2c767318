"""A server program of the cluster: one process that dies with the tests, can be killed, frozen and started again."""

import os
import pwd
import signal
import subprocess
from pathlib import Path
from typing import Any

from tests.relay.harness.family import child


class Program:
    """`ends_by`: the signal by which it takes its own children with it."""

    def __init__(self, log: Path, *, ends_by: int = signal.SIGKILL, user: str | None = None) -> None:
        self.log, self.ends_by, self.user = log, ends_by, user
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, command: list[str], **options: Any) -> None:
        """`options`: of subprocess.Popen."""
        account = pwd.getpwnam(self.user) if self.user else None
        with open(self.log, "ab") as log:
            self.process = child(
                command,
                dies_by=self.ends_by,
                stdout=log,
                user=account and account.pw_uid,
                group=account and account.pw_gid,
                extra_groups=[] if account else None,
                **{"cwd": "/", **options},
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
