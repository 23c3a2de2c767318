"""Counts that a relay could not write before it ended: files in GLUER_HOME, which the next relay writes (GP-40).

Rule 1  A file is there as a whole or not at all. Only its owner reads it.
Rule 2  A batch keeps its identity (process, sequence), so it is applied once, however often its file is read: by a
        relay that dies before it removes the file, or by two at the same time.
Rule 3  The database knows a batch for BATCHES_KEPT after it was sealed, at least. An older one is left out, since it
        may have been applied already.
"""

import logging
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from billing.tasks import BATCHES_KEPT
from billing.usage import Count, record_batch

FOLDER = "unwritten"  # in GLUER_HOME
MOST_FILES = 100
LARGEST = 64 * 1_048_576  # bytes of one file: a million counts
HALF_KEPT = 3_600.0  # s after which a file that is not whole will not become so
log = logging.getLogger(__name__)


class Sealed(msgspec.Struct, frozen=True):
    """A batch as the database takes it."""

    sequence: int
    sealed_at: datetime
    counts: list[Count]


class Kept(msgspec.Struct, frozen=True):
    """What one process could not write."""

    process: str
    batches: list[Sealed]


def keep(folder: Path, kept: Kept) -> None:
    """Put the counts into a file. Raises OSError when there is no place for it."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for half in folder.glob("*.half"):  # of a relay that was killed while it wrote
        if time.time() - half.stat().st_mtime > HALF_KEPT:
            half.unlink(missing_ok=True)
    text = msgspec.json.encode(kept)
    if len(text) > LARGEST or len(files(folder)) >= MOST_FILES:
        raise OSError(f"{folder} takes {MOST_FILES} files of {LARGEST} bytes")
    path = folder / f"{kept.process}.json"
    half = path.with_suffix(".half")
    with open(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    half.rename(path)


def files(folder: Path) -> list[Path]:
    """The files of this folder, which need not exist."""
    return sorted(folder.glob("*.json"))


def written(path: Path) -> Iterator[int]:
    """Write a file's counts into the database, and remove it: a batch with each step, since a file may take minutes.

    Raises what the database raises.
    """
    try:
        kept = msgspec.json.decode(path.read_bytes(), type=Kept)
    except FileNotFoundError:  # another relay has written it
        return
    except (OSError, msgspec.MsgspecError) as problem:
        log.error("%s holds counts that cannot be read, and is put aside: %s", path, problem)
        path.rename(path.with_suffix(".unreadable"))
        return
    good = [batch for batch in kept.batches if datetime.now(UTC) - batch.sealed_at < BATCHES_KEPT]
    for batch in good:
        record_batch(kept.process, batch.sequence, batch.sealed_at, batch.counts)
        yield batch.sequence
    path.unlink(missing_ok=True)
    log.warning("%d batches of counts that a relay could not write were written", len(good))
    if len(good) < len(kept.batches):
        log.error(
            "%d were left out: older than %s, they may be there already", len(kept.batches) - len(good), BATCHES_KEPT
        )
