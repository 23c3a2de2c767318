"""Counts that a relay could not write before it ended are written once, by a later one."""

import os
import stat
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from billing.models import UsageBatch
from billing.tasks import BATCHES_KEPT
from billing.usage import Count, project_usage, record_batch
from projects.models import Project
from relay import metering, unwritten
from relay.database import DatabaseThreads
from relay.metering import Metering
from relay.unwritten import Kept, Sealed, files, keep, written
from tests.relay.core.cast import CoreRelay

pytestmark = pytest.mark.django_db


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "unwritten"


def sealed(project: Project, requests: int, sequence: int = 1, age: timedelta = timedelta(0)) -> Sealed:
    """A batch of this project's requests."""
    now = datetime.now(UTC)
    minute = now.replace(second=0, microsecond=0)
    return Sealed(sequence, now - age, [Count(project.workspace_id, project.id, minute, requests)])


def used(project: Project) -> int:
    return project_usage(project.id, datetime.now(UTC))


def apply(path: Path) -> None:
    """Write all of a file."""
    for _ in written(path):
        pass


def test_what_is_kept_is_written_and_the_file_is_gone(folder: Path, project: Project) -> None:
    keep(folder, Kept("one", [sealed(project, 5), sealed(project, 3, sequence=2)]))
    apply(*files(folder))
    assert used(project) == 8
    assert files(folder) == []


def test_a_file_that_is_read_twice_counts_once(folder: Path, project: Project) -> None:
    """A relay died between writing it and removing it."""
    keep(folder, Kept("one", [sealed(project, 5)]))
    (path,) = files(folder)
    text = path.read_bytes()
    for _ in range(2):
        path.write_bytes(text)
        apply(path)
    apply(path)  # that another relay has just removed
    assert used(project) == 5


def test_a_batch_whose_commit_was_not_heard_of_counts_once(folder: Path, project: Project) -> None:
    batch = sealed(project, 5)
    record_batch("one", batch.sequence, batch.sealed_at, batch.counts)
    keep(folder, Kept("one", [batch, sealed(project, 3, sequence=2)]))
    apply(*files(folder))
    assert used(project) == 8


def test_a_batch_that_the_database_may_have_forgotten_is_left_out(
    folder: Path, project: Project, caplog: pytest.LogCaptureFixture
) -> None:
    keep(folder, Kept("one", [sealed(project, 5, age=BATCHES_KEPT), sealed(project, 3, sequence=2)]))
    apply(*files(folder))
    assert used(project) == 3
    assert "1 were left out" in caplog.text


def test_only_the_owner_reads_it(folder: Path, project: Project) -> None:
    keep(folder, Kept("one", [sealed(project, 5)]))
    (path,) = folder.iterdir()
    assert [stat.S_IMODE(place.stat().st_mode) for place in (folder, path)] == [0o700, 0o600]


@pytest.mark.parametrize("text", [b"", b"{", b'{"process": 5, "batches": []}', b'{"process": "one"}'])
def test_a_broken_file_is_put_aside_and_the_others_are_written(folder: Path, project: Project, text: bytes) -> None:
    keep(folder, Kept("two", [sealed(project, 5)]))
    (folder / "one.json").write_bytes(text)
    for path in files(folder):
        apply(path)
    assert used(project) == 5
    assert [path.name for path in folder.iterdir()] == ["one.unreadable"]


def test_the_folder_is_bounded(folder: Path, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unwritten, "MOST_FILES", 2)
    for process in ("one", "two"):
        keep(folder, Kept(process, [sealed(project, 5)]))
    with pytest.raises(OSError, match="2 files"):
        keep(folder, Kept("three", [sealed(project, 5)]))
    monkeypatch.setattr(unwritten, "LARGEST", 10)
    (folder / "one.json").unlink()
    with pytest.raises(OSError, match="10 bytes"):
        keep(folder, Kept("three", [sealed(project, 5)]))
    assert UsageBatch.objects.count() == 0


def test_what_a_killed_relay_left_half_done_is_removed(folder: Path, project: Project) -> None:
    folder.mkdir()
    for name, age in (("old", unwritten.HALF_KEPT + 1), ("new", 0)):
        half = folder / f"{name}.half"
        half.write_bytes(b"{")
        os.utime(half, (time.time() - age, time.time() - age))
    keep(folder, Kept("one", [sealed(project, 5)]))
    assert sorted(path.name for path in folder.iterdir()) == ["new.half", "one.json"]


async def test_a_file_that_cannot_be_removed_holds_up_no_other(
    folder: Path, project: Project, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for process in ("one", "two"):
        keep(folder, Kept(process, [sealed(project, 5)]))
    recorded: list[str] = []
    monkeypatch.setattr(unwritten, "record_batch", lambda process, *rest: recorded.append(process))
    unlink = Path.unlink

    def refuse_one(path: Path, missing_ok: bool = False) -> None:
        if path.name == "one.json":
            raise OSError("Read-only file system")
        unlink(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", refuse_one)
    threads = DatabaseThreads(1, "unwritten", within=5)
    counts = Metering(CoreRelay().hub, threads, folder)
    for _ in range(2):
        await counts.write_unwritten()
    assert recorded == ["one", "two"]
    assert caplog.text.count("cannot be removed") == 1
    threads.shutdown()


async def test_a_batch_that_waits_long_is_not_too_large_to_write(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metering, "MOST_SEALED", 2)
    monkeypatch.setattr(metering, "MOST_ROWS", 3)
    hub = CoreRelay().hub
    counts = Metering(hub, DatabaseThreads(1, "unwritten", within=5), folder)
    for second in range(20):
        monkeypatch.setattr(hub, "take_counts", lambda second=second: {(1, f"project {second}"): 1})
        counts.seal(second)
    assert max(len(batch.counts) for batch in counts.sealed) == 3
    assert sum(batch.counts.total() for batch in counts.sealed) == 20


async def test_a_file_may_take_longer_than_one_piece_of_database_work(
    folder: Path, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(folder, Kept("one", [sealed(project, 5, sequence=number) for number in range(10)]))
    recorded: list[int] = []

    def slow(process: str, sequence: int, *rest: object) -> None:
        time.sleep(0.1)
        recorded.append(sequence)

    monkeypatch.setattr(unwritten, "record_batch", slow)
    threads = DatabaseThreads(1, "unwritten", within=0.5)
    await Metering(CoreRelay().hub, threads, folder).write_unwritten()
    assert recorded == list(range(10))
    assert files(folder) == []
    threads.shutdown()
