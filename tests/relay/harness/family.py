"""Children that die with the tests, however these end."""

import os
import signal
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from gluer_site.embedded.child import LIBC, PR_SET_PDEATHSIG

# To the kernel the parent is the thread that made the child. This one ends with the tests; a loop's ends with its test.
parent = ThreadPoolExecutor(1, "parent")


def child(command: list[str], *, dies_by: int = signal.SIGKILL, **options: Any) -> subprocess.Popen[bytes]:
    """As subprocess.Popen, in a session of its own and without an input; it gets `dies_by` when the tests die."""

    def make() -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=dies_with(os.getpid(), dies_by),
            **options,
        )

    return parent.submit(make).result()


def dies_with(tests: int, number: int) -> Callable[[], None]:
    """What the new process does before it becomes the program: ask for this signal when the tests die."""

    def tie() -> None:
        if LIBC:
            LIBC.prctl(PR_SET_PDEATHSIG, number)
        if os.getppid() != tests:  # they died before the line above
            os._exit(1)

    return tie
