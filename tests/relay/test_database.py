"""Database work that takes too long is given up, and holds up nothing that comes later."""

import asyncio
import threading
import time
from collections.abc import Iterator

import pytest

from relay.database import MOST_GIVEN_UP, DatabaseSilent, DatabaseThreads
from tests.embedded.installation import until

NAME = "silent database"


@pytest.fixture
def answers() -> Iterator[threading.Event]:
    """When the database answers what hangs."""
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def one() -> Iterator[DatabaseThreads]:
    """A thread, and nobody waits for long."""
    threads = DatabaseThreads(1, NAME, within=0.05)
    yield threads
    threads.shutdown()
    until(lambda: not running(), "the threads to end", 5)


def running() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == NAME]


async def answered(threads: DatabaseThreads) -> bool:
    """Whether a thread that is waited for works."""
    threads.within = 10.0
    return await threads.run(lambda: True)


async def test_work_that_hangs_does_not_hold_up_the_next(one: DatabaseThreads, answers: threading.Event) -> None:
    with pytest.raises(DatabaseSilent, match=r"0\.05 s"):
        await one.run(answers.wait)
    assert await answered(one)
    assert len(running()) == 2
    answers.set()
    await asyncio.to_thread(until, lambda: len(running()) == 1, "the thread that was given up to end", 5)


async def test_a_thread_serves_one_after_the_other(one: DatabaseThreads) -> None:
    one.within = 10.0
    assert len({await one.run(threading.get_ident) for _ in range(10)}) == 1


async def test_the_wait_for_a_thread_is_limited_too(one: DatabaseThreads, answers: threading.Event) -> None:
    ends = await asyncio.gather(*(one.run(answers.wait) for _ in range(5)), return_exceptions=True)
    assert [type(end) for end in ends] == [DatabaseSilent] * 5


async def test_no_thread_that_answers_is_given_up_however_much_is_asked(one: DatabaseThreads) -> None:
    """What waited for long has as much time as all: its thread goes on, and the next has no new connection to make."""
    one.within = 0.5
    asked: list[asyncio.Task[int]] = []
    used: set[int] = set()

    def ask() -> int:
        used.add(threading.get_ident())
        time.sleep(0.05)
        return 8

    for _ in range(60):  # more than twice as fast as they are answered
        asked.append(asyncio.ensure_future(one.run(ask)))
        await asyncio.sleep(0.02)
    ends = await asyncio.gather(*asked, return_exceptions=True)
    assert {type(end) for end in ends} == {int, DatabaseSilent}
    assert len(used) == 1


async def test_threads_that_hang_are_bounded_and_work_goes_on_when_they_end(
    one: DatabaseThreads, answers: threading.Event
) -> None:
    for _ in range(MOST_GIVEN_UP + 5):
        with pytest.raises(DatabaseSilent):
            await one.run(answers.wait)
    assert len(running()) == MOST_GIVEN_UP
    answers.set()
    await asyncio.to_thread(until, lambda: not running(), "the threads to end", 5)
    assert await answered(one)


async def test_an_exception_is_the_caller_s(one: DatabaseThreads) -> None:
    one.within = 10.0
    with pytest.raises(ZeroDivisionError):
        await one.run(lambda: 1 // 0)
    assert await answered(one)
