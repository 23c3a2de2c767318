"""The relay processes of this machine, for `manage.py drain`: each holds a lock on a file that names it.

The kernel frees the lock however the process ends, so a file that was left behind names nobody. The host's name stands
in it because containers may share the folder, and a process id means something in one of them only.
"""

import fcntl
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FOLDER = "run"  # in GLUER_HOME


def prefix() -> str:
    return f"relay-{platform.node()}-"


def file_name(number: int) -> str:
    """Of the process with this id, in the folder."""
    return f"{prefix()}{number}"


@contextmanager
def registered(folder: Path) -> Iterator[None]:
    """This process is one of the folder's. Raises OSError where the folder cannot be written."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / file_name(os.getpid())
    with open(path, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def running(folder: Path) -> list[int]:
    """The ids of this machine's relay processes; forgets those that have died."""
    alive = []
    for path in folder.glob(f"{prefix()}*"):
        number = path.name.removeprefix(prefix())
        if is_held(path):
            alive.append(int(number))
        else:
            path.unlink(missing_ok=True)
    return sorted(alive)


def is_held(path: Path) -> bool:
    """Whether a process holds the file's lock."""
    try:
        with open(path) as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    return False
