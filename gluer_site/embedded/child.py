"""One child process of the supervisor.

Rule 1  A child never outlives the supervisor, however that ends: the kernel kills it (PR_SET_PDEATHSIG).
Rule 2  A child has its own session: Ctrl-C reaches the supervisor alone, which stops the children in order.
Rule 3  What a child prints is printed line by line behind its name. Of a quiet one the last lines are kept instead,
        for the one who wants to know why it ended.
"""

import asyncio
import ctypes
import os
import signal
import sys
from asyncio import StreamReader
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

PR_SET_PDEATHSIG = 1  # from linux/prctl.h
LINUX = sys.platform == "linux"
LIBC = ctypes.CDLL(None) if LINUX else None  # loaded before any fork
PATIENCE = 4.0  # s between SIGTERM and SIGKILL
CHUNK = 65_536  # bytes read at once of what a child prints
NAME_WIDTH = 6
KEPT_LINES = 50  # of a quiet child: a traceback and a little more


@dataclass
class Child:
    """A program, its environment (added to ours), what it reads, and the file descriptors it inherits."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    reads: bytes = b""
    inherits: Iterable[int] = ()
    quiet: bool = False
    kept: deque[str] = field(default_factory=lambda: deque(maxlen=KEPT_LINES))
    process: Process | None = None

    async def run(self) -> int:
        """Run the program once, to its end. Returns its exit code (negative: the signal that killed it)."""
        self.process = await asyncio.create_subprocess_exec(
            *self.command,
            stdin=PIPE if self.reads else DEVNULL,
            stdout=PIPE,
            stderr=STDOUT,
            env={**os.environ, **self.environment},
            pass_fds=tuple(self.inherits),
            start_new_session=True,
            preexec_fn=die_with(os.getpid()),
        )
        if self.process.stdin:
            self.process.stdin.write(self.reads)
            self.process.stdin.close()
        if self.process.stdout:
            await self.print_output(self.process.stdout)
        return await self.process.wait()

    async def print_output(self, output: StreamReader) -> None:
        rest = b""
        while chunk := await output.read(CHUNK):
            *lines, rest = (rest + chunk).split(b"\n")
            if len(rest) > CHUNK:
                lines, rest = [*lines, rest], b""
            self.print_lines(lines)
        self.print_lines([rest] if rest else [])

    def print_lines(self, lines: Iterable[bytes]) -> None:
        for line in filter(bytes.strip, lines):
            self.kept.append(f"{self.name:{NAME_WIDTH}} | {line.decode(errors='replace').rstrip()}")
            if not self.quiet:
                self.print_kept()

    def print_kept(self) -> None:
        """Print the kept lines, and keep them no longer."""
        while self.kept:
            print(self.kept.popleft(), flush=True)

    async def stop(self) -> None:
        """Ask the program to end, and end it after PATIENCE seconds."""
        if self.process is None or self.process.returncode is not None:
            return
        self.process.terminate()
        try:
            await asyncio.wait_for(self.process.wait(), PATIENCE)
        except TimeoutError:
            self.process.kill()
            await self.process.wait()


def die_with(parent: int) -> Callable[[], None]:
    """What the new process does before it becomes the program: ask to be killed when `parent` dies."""

    def tie() -> None:
        if LIBC:
            LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before the line above
            os._exit(1)

    return tie
