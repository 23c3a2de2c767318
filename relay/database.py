"""Threads for database work: the event loop never waits for the database."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.db import close_old_connections

T = TypeVar("T")


class DatabaseThreads:
    """A pool whose work finds no stale connection and leaves no open transaction behind."""

    def __init__(self, threads: int, name: str) -> None:
        self.pool = ThreadPoolExecutor(threads, name)

    async def run(self, function: Callable[[], T]) -> T:
        """The function's answer, or its exception."""
        return await asyncio.get_running_loop().run_in_executor(self.pool, work, function)

    def shutdown(self) -> None:
        self.pool.shutdown(wait=False)


def work(function: Callable[[], T]) -> T:
    close_old_connections()
    try:
        return function()
    finally:
        close_old_connections()
