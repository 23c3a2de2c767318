"""Threads for database work: the event loop never waits for the database, and nobody waits for it for ever.

Rule 1  Work that takes too long is given up, together with its thread and that thread's connection: a database that
        does not answer holds up nothing that comes later. The wait for a thread has a time of its own: when more is
        asked than the database can answer, no connection is given up that answers.
Rule 2  A thread that was given up ends when its work does. Connections to Postgres see to that
        (gluer_site/postgres/base.py), SQLite by its own time limit. So the number of these threads is bounded.
"""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, TypeVar

from django.db import close_old_connections, connections

T = TypeVar("T")
MOST_GIVEN_UP = 16  # threads of one kind that have not ended; above it nothing is asked


class DatabaseSilent(Exception):
    """The database did not answer in time."""


class DatabaseThreads:
    """Threads whose work finds no stale connection and leaves no open transaction behind."""

    def __init__(self, threads: int, name: str, within: float) -> None:
        """`threads`: how many work at once; `within`: s that work may take, and may wait for a thread before."""
        self.name, self.within = name, within
        self.places = asyncio.Semaphore(threads)
        self.idle: list[DatabaseThread] = []
        self.given_up: list[DatabaseThread] = []

    async def run(self, function: Callable[[], T]) -> T:
        """The function's answer, or its exception. Raises DatabaseSilent when it takes too long."""
        try:
            async with asyncio.timeout(self.within):
                await self.places.acquire()
        except TimeoutError:
            raise DatabaseSilent(f"no thread was free within {self.within} s") from None
        try:
            async with asyncio.timeout(self.within):
                return await self._run(self._thread(), function)
        except TimeoutError:
            raise DatabaseSilent(f"it did not answer within {self.within} s") from None
        finally:
            self.places.release()

    async def _run(self, thread: "DatabaseThread", function: Callable[[], T]) -> T:
        answer = thread.begin(function)
        try:
            return await asyncio.wrap_future(answer)
        finally:
            if answer.done():
                self.idle.append(thread)
            else:
                thread.end()
                self.given_up.append(thread)

    def _thread(self) -> "DatabaseThread":
        if self.idle:
            return self.idle.pop()
        self.given_up = [thread for thread in self.given_up if thread.is_alive()]
        if len(self.given_up) >= MOST_GIVEN_UP:
            raise DatabaseSilent(f"{MOST_GIVEN_UP} threads still wait for answers")
        return DatabaseThread(self.name)

    def shutdown(self) -> None:
        """Let the idle threads end; the process does not wait for the others."""
        while self.idle:
            self.idle.pop().end()


class DatabaseThread(threading.Thread):
    """One thread with its own connection. No program waits at its end for a daemon thread."""

    def __init__(self, name: str) -> None:
        super().__init__(name=name, daemon=True)
        self.work: SimpleQueue[tuple[Callable[[], Any], Future[Any]] | None] = SimpleQueue()
        self.start()

    def begin(self, function: Callable[[], T]) -> "Future[T]":
        answer: Future[T] = Future()
        answer.set_running_or_notify_cancel()  # from now on it is not cancelled, but given up
        self.work.put((function, answer))
        return answer

    def end(self) -> None:
        """End as soon as the work that has begun is done."""
        self.work.put(None)

    def run(self) -> None:
        while (work := self.work.get()) is not None:
            function, answer = work
            try:
                answer.set_result(tidily(function))
            except BaseException as error:
                answer.set_exception(error)
            del work, function, answer  # idle, it keeps nothing
        connections.close_all()


def tidily(function: Callable[[], T]) -> T:
    close_old_connections()
    try:
        return function()
    finally:
        close_old_connections()
