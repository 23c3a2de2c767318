"""Django's PostgreSQL backend, with connections that wait for an answer for a limited time.

The kernel notices a network that is silent (`tcp_user_timeout`, keepalives in settings.py). It does not notice a server
that stands still, or a proxy that has lost its server: their kernels acknowledge all that is sent.
"""

from types import SimpleNamespace
from typing import Any, TypeVar

import psycopg
from django.db import connections
from django.db.backends.postgresql import base
from django.db.models.signals import pre_migrate
from django.dispatch import receiver
from psycopg.abc import PQGen

ANSWERED_WITHIN = 35.0  # s; more than statement_timeout in settings.py, by which a live server ends a statement itself
RV = TypeVar("RV")


class Connection(psycopg.Connection[Any]):
    """A connection that is closed when an answer does not come. Raises psycopg.OperationalError then."""

    longest: float | None = ANSWERED_WITHIN  # None: it waits for ever

    def wait(self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:
        try:
            return super().wait(gen, interval, self.longest if timeout is None else timeout)
        except psycopg.errors._WaitTimeout:
            self.pgconn.finish()  # what comes later would be taken for the answer to the next statement
            raise


class DatabaseWrapper(base.DatabaseWrapper):  # Django asks for this name
    Database = SimpleNamespace(**{**vars(psycopg), "connect": Connection.connect})  # type: ignore[assignment]


@receiver(pre_migrate)
def take_your_time(using: str, **rest: Any) -> None:
    """Let the statements of a migration take as long as they need."""
    wrapper = connections[using]
    if isinstance(wrapper, DatabaseWrapper):
        with wrapper.cursor() as cursor:
            cursor.execute("SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0")
        wrapper.connection.longest = None
