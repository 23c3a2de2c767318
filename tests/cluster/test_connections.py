"""A connection to Postgres waits for an answer for a limited time, whoever uses it: relays, pages, tasks, commands."""

import subprocess
import sys
from collections.abc import Iterator

import psycopg
import pytest

from gluer_site.postgres.base import Connection
from tests.cluster.harness.cluster import Cluster
from tests.cluster.harness.network import Network
from tests.relay.harness.home import BASE


@pytest.fixture
def network(cluster: Cluster) -> Iterator[Network]:
    """Between the test and Postgres."""
    network = Network(cluster.postgres.port)
    yield network
    network.close()


def test_a_connection_that_is_not_answered_ends(
    cluster: Cluster, network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Connection, "longest", 0.2)
    connection = Connection.connect(cluster.postgres.through(network))
    assert connection.execute("SELECT 5 + 3").fetchone() == (8,)
    network.forget()
    with pytest.raises(psycopg.OperationalError):
        connection.execute("SELECT 5 + 3")
    assert connection.closed


@pytest.mark.parametrize(
    ("before", "limits"), [("", "30s 1min"), ("call_command('migrate', verbosity=0); ", "0 0")], ids=["any", "migrate"]
)
def test_statements_have_a_time_limit_but_for_those_of_migrations(cluster: Cluster, before: str, limits: str) -> None:
    ask = (
        f"from django.core.management import call_command; from django.db import connection; {before}"
        "cursor = connection.cursor(); "
        "show = lambda name: cursor.execute(f'SHOW {name}').fetchone()[0]; "
        "print(show('statement_timeout'), show('idle_in_transaction_session_timeout'))"
    )
    command = [sys.executable, "manage.py", "shell", "--no-imports", "--command", ask]
    asked = subprocess.run(
        command, cwd=BASE, env=cluster.home.environment(), capture_output=True, text=True, check=True, timeout=60
    )
    assert asked.stdout.strip() == limits
