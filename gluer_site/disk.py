"""What is said when the folder of an embedded Gluer cannot be written: its disk is full, or it is read-only."""

import sqlite3
from pathlib import Path

from django.db.utils import OperationalError

FAILURES = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN}
FOR_VISITORS = (
    "The disk of this site is full or cannot be written, and nothing was changed. Who runs it has to make room there, "
    "or to make its folder writable; its log says which."
)


def is_disk_failure(error: BaseException) -> bool:
    """Whether SQLite could not write its files, or open them."""
    code: int = getattr(error.__cause__, "sqlite_errorcode", 0)
    return isinstance(error, OperationalError) and code & 0xFF in FAILURES


def unwritable(home: Path, error: BaseException) -> str:
    """A sentence for who runs it: what is wrong with the folder, and what to do."""
    reason = getattr(error, "strerror", None) or str(error)
    return (
        f"the folder {home} cannot be written ({reason}). Make room on its disk or make it writable, "
        "or choose another folder: GLUER_HOME=…"
    )
