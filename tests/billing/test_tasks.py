from datetime import UTC, datetime, timedelta

import time_machine

from billing.models import UsageBatch, UsageHour
from billing.tasks import fold_usage, prune_batches
from billing.usage import Count, project_usage, record_batch
from projects.models import Project

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def test_batches_are_pruned_a_day_after_folding_and_their_counts_stay(project: Project) -> None:
    record_batch("p", 1, NOON, [Count(project.workspace_id, project.id, NOON, 3)])
    with time_machine.travel(NOON, tick=False):
        fold_usage()
    record_batch("p", 2, NOON, [Count(project.workspace_id, project.id, NOON, 4)])
    with time_machine.travel(NOON + timedelta(hours=25)):
        prune_batches()
    assert UsageBatch.objects.get().sequence == 2
    assert project_usage(project.id, NOON) == 7


def test_hours_are_pruned_after_400_days(project: Project) -> None:
    for days in (399, 401):
        hour = NOON - timedelta(days=days)
        UsageHour.objects.create(workspace_id=1, project_id=project.id, hour=hour, requests=1)
    with time_machine.travel(NOON):
        prune_batches()
    assert UsageHour.objects.get().hour == NOON - timedelta(days=399)
