"""The two things only one Gluer at a time may have: its port, and its folder."""

import fcntl
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gluer_site.disk import unwritable
from gluer_site.embedded.options import StartError

ADDRESS = "127.0.0.1"
BACKLOG = 2048  # connections that wait to be accepted, as uvicorn's own default


def listen(port: int) -> socket.socket:
    """A listening loopback socket, taken before anything else starts. Raises StartError if the port is taken."""
    try:
        return socket.create_server((ADDRESS, port), backlog=BACKLOG)
    except OSError as problem:
        raise StartError(
            f"port {port} of {ADDRESS} cannot be used ({problem.strerror}). "
            f"Stop what uses it, or choose another: make run PORT={port + 1 if port < 65_535 else 8000}"
        ) from problem


@contextmanager
def only_one(home: Path) -> Iterator[None]:
    """Hold the folder's lock; the kernel frees it however this process ends.

    Raises StartError if it is held, or the folder cannot be written.
    """
    try:
        home.mkdir(parents=True, exist_ok=True)
        lock = open(home / "lock", "w")  # noqa: SIM115 (closed below)
    except OSError as problem:
        raise StartError(unwritable(home, problem)) from problem
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as problem:
            raise StartError(
                f"another Gluer runs with the folder {home}. Stop it, or give this one a folder: make run GLUER_HOME=…"
            ) from problem
        yield
