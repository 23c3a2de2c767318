"""Folding, and the numbers of quotas, before and after it."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.db.models import QuerySet

from accounts.models import User, Workspace
from billing.models import Plan, UsageBatch, UsageCount, UsageHour, UsageMonth, WorkspacePlan
from billing.usage import Count, Quota, fold, project_usage, project_usages, quotas, record_batch, workspace_usage
from projects.models import Project

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
DECEMBER = datetime(2026, 12, 1, tzinfo=UTC)


def count(project: Project, requests: int, minute: datetime = NOON) -> Count:
    return Count(project.workspace_id, project.id, minute, requests)


def used(project: Project, now: datetime = NOON) -> int:
    return workspace_usage(project.workspace_id, now).used


def test_a_workspace_without_requests_may_make_a_million(project: Project) -> None:
    assert workspace_usage(project.workspace_id, NOON) == Quota(1_000_000, 0, DECEMBER)


def test_a_workspaces_own_plan_counts(project: Project, workspace: Workspace) -> None:
    plan = Plan.objects.create(slug="tiny", name="Tiny", requests_per_month=10)
    WorkspacePlan.objects.create(workspace=workspace, plan=plan)
    record_batch("p", 1, NOON, [count(project, 7)])
    assert workspace_usage(workspace.pk, NOON) == Quota(10, 7, DECEMBER)


def test_without_a_free_plan_row_the_free_limit_holds(project: Project) -> None:
    Plan.objects.all().delete()
    assert workspace_usage(project.workspace_id, NOON).limit == 1_000_000


def test_requests_count_before_and_after_folding(project: Project) -> None:
    record_batch("p", 1, NOON, [count(project, 3), count(project, 4, NOON + timedelta(minutes=1))])
    assert used(project) == 7
    assert fold(NOON) == 1
    assert used(project) == project_usage(project.id, NOON) == 7
    record_batch("p", 2, NOON, [count(project, 5)])
    assert used(project) == project_usage(project.id, NOON) == 12
    assert UsageHour.objects.get(project_id=project.id).requests == 7


def test_a_batch_recorded_twice_counts_once(project: Project) -> None:
    for requests in (3, 3):
        record_batch("p", 1, NOON, [count(project, requests)])
    assert used(project) == 3
    fold(NOON)
    record_batch("p", 1, NOON, [count(project, 3)])
    fold(NOON)
    assert used(project) == 3


def test_the_same_sequence_of_another_process_is_another_batch(project: Project) -> None:
    record_batch("p", 1, NOON, [count(project, 3)])
    record_batch("q", 1, NOON, [count(project, 3)])
    assert used(project) == 6


def test_folding_twice_changes_nothing(project: Project) -> None:
    record_batch("p", 1, NOON, [count(project, 3)])
    assert [fold(NOON), fold(NOON)] == [1, 0]
    assert used(project) == 3


def test_a_fold_killed_before_its_end_leaves_everything_as_it_was(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    record_batch("p", 1, NOON, [count(project, 3)])

    def killed(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(QuerySet, "delete", killed)
        with pytest.raises(KeyboardInterrupt):
            fold(NOON)
    assert not UsageHour.objects.exists()
    assert used(project) == 3
    assert fold(NOON) == 1
    assert used(project) == 3


def test_fold_takes_the_oldest_first_and_no_more_than_asked(project: Project) -> None:
    for sequence in (1, 2, 3):
        record_batch("p", sequence, NOON, [count(project, sequence)])
    assert fold(NOON, most=2) == 2
    assert UsageBatch.objects.get(folded_at=None).sequence == 3
    assert used(project) == 6


def test_the_last_minute_of_a_month_counts_in_it(project: Project) -> None:
    last, first = DECEMBER - timedelta(minutes=1), DECEMBER
    record_batch("p", 1, first, [count(project, 3, last), count(project, 4, first)])
    for _ in ("not folded", "folded"):
        assert used(project, last) == project_usage(project.id, last) == 3
        assert used(project, first) == project_usage(project.id, first) == 4
        fold(first)
    assert workspace_usage(project.workspace_id, DECEMBER).resets_at == datetime(2027, 1, 1, tzinfo=UTC)


def test_a_deleted_projects_requests_stay_counted(project: Project) -> None:
    record_batch("p", 1, NOON, [count(project, 3)])
    fold(NOON)
    record_batch("p", 2, NOON, [count(project, 4)])
    project.delete()
    assert used(project) == 7


def test_nobody_counts_for_somebody_else(project: Project, charlie: User) -> None:
    theirs = Project.objects.get(workspace__members=charlie)
    record_batch("p", 1, NOON, [count(project, 3), count(theirs, 4)])
    for _ in ("not folded", "folded"):
        assert {id: quota.used for id, quota in quotas([project.workspace_id, theirs.workspace_id], NOON).items()} == {
            project.workspace_id: 3,
            theirs.workspace_id: 4,
        }
        assert project_usages([project.id, theirs.id], NOON) == {project.id: 3, theirs.id: 4}
        fold(NOON)


def test_quotas_are_one_statement(project: Project, django_assert_num_queries) -> None:  # type: ignore[no-untyped-def]
    with django_assert_num_queries(1):
        quotas([project.workspace_id], NOON)


def test_a_workspace_that_does_not_exist_has_no_quota(db: None) -> None:
    assert quotas([12345], NOON) == {}


@pytest.mark.django_db(transaction=True)
def test_two_folds_at_once_and_a_reader_never_miscount(project: Project) -> None:
    for sequence in range(40):
        record_batch("p", sequence, NOON, [count(project, 1)])
    seen: list[int] = []

    def work() -> None:
        while fold(NOON, most=3):
            seen.append(used(project))
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(seen) == {40}
    assert UsageMonth.objects.get(project_id=project.id).requests == 40
    assert not UsageCount.objects.exists()
