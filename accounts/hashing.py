"""Password hashes: Argon2id at the cost that OWASP advises, and two at a time, since each takes memory and a core.

The threads here belong to hashes alone: memory that a hash gives back is kept for the next one of its thread.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.contrib.auth.hashers import Argon2PasswordHasher

AT_ONCE = 2  # hashes of one process
LONGEST_WAIT = 5.0  # s for one's turn
T = TypeVar("T")
threads = ThreadPoolExecutor(AT_ONCE, "hash")


class TooManyHashes(Exception):
    """No password could be hashed within LONGEST_WAIT: too many others were. Nothing was changed."""


def in_turn(work: Callable[[], T]) -> T:
    """What `work` returns, done by one of the threads. Raises TooManyHashes when none was free in time."""
    turn = threads.submit(work)
    try:
        return turn.result(LONGEST_WAIT)
    except TimeoutError:
        if turn.cancel():
            raise TooManyHashes from None
        return turn.result()  # it has begun: a hash takes some tens of milliseconds


class BoundedArgon2(Argon2PasswordHasher):
    """Argon2id with 19 MiB, two passes and one lane (OWASP Password Storage Cheat Sheet).

    Hashes of another cost are made anew when their owner logs in.
    """

    memory_cost = 19 * 1024  # KiB
    time_cost = 2
    parallelism = 1

    def encode(self, password: str, salt: str) -> str:
        return in_turn(lambda: super(BoundedArgon2, self).encode(password, salt))

    def verify(self, password: str, encoded: str) -> bool:
        return in_turn(lambda: super(BoundedArgon2, self).verify(password, encoded))
