"""A worker that is killed while it folds (kill -9) loses and doubles nothing."""

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime

import pytest
from django.db import connection

from billing.models import UsageBatch, UsageCount, UsageHour, UsageMonth
from billing.usage import Count, fold, project_usage, record_batch
from projects.models import Project

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
BATCHES = 300
KILLS = 3
FOLDED_FIRST = 5  # batches, before the kill
FOLD_ONE_BY_ONE = """
import django; django.setup()
from django.utils import timezone
from billing.usage import fold
print("ready", flush=True)
while fold(timezone.now(), most=1): print("folded", flush=True)
"""


def worker() -> subprocess.Popen[str]:
    """A process of its own that folds one batch after the other, in the tests' database."""
    url = {"sqlite": "sqlite:///{NAME}", "postgresql": "postgres://{USER}:{PASSWORD}@{HOST}:{PORT}/{NAME}"}
    env = {**os.environ, "DATABASE_URL": url[connection.vendor].format_map(connection.settings_dict)}
    command = [sys.executable, "-c", FOLD_ONE_BY_ONE]
    return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True)


@pytest.mark.django_db(transaction=True)
def test_workers_killed_again_and_again_leave_the_right_sums(project: Project) -> None:
    for sequence in range(BATCHES):
        record_batch("p", sequence, NOON, [Count(project.workspace_id, project.id, NOON, 7)])
    for _ in range(KILLS):
        kill_in_the_middle(project)
        assert project_usage(project.id, NOON) == BATCHES * 7
    while fold(NOON):
        pass
    assert UsageMonth.objects.get().requests == UsageHour.objects.get().requests == BATCHES * 7
    assert not UsageCount.objects.exists()


def kill_in_the_middle(project: Project) -> None:
    """Start a worker, see it fold some batches, always with the right sum, and kill it while it goes on."""
    with worker() as process:
        assert process.stdout
        for _ in range(1 + FOLDED_FIRST):
            assert process.stdout.readline()
            assert project_usage(project.id, NOON) == BATCHES * 7
        process.send_signal(signal.SIGKILL)
    assert UsageBatch.objects.filter(folded_at=None).exists()
