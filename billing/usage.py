"""Counts in, numbers out: used = folded + not yet folded, so a worker that is down cannot lift a limit.

Rule 1: a batch is applied once (record_batch), and folded once (fold): each in one transaction.
Rule 2: folded and not yet folded are read in one SQL statement, hence in one snapshot: a fold that commits
        meanwhile is seen wholly or not at all, and nothing is counted twice or neither.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import TypeVar

from django.db import transaction
from django.db.models import BigIntegerField, F, Model, OuterRef, QuerySet, Subquery, Sum, Value
from django.db.models.expressions import CombinedExpression
from django.db.models.functions import Coalesce, TruncHour

from accounts.models import Workspace
from billing.models import FREE, FREE_REQUESTS, Plan, UsageBatch, UsageCount, UsageHour, UsageMonth, WorkspacePlan
from billing.months import Month, month_of

FOLDED_AT_ONCE = 1_000  # batches in one transaction: 17 minutes of one process
Period = TypeVar("Period", date, datetime)
ROWS_AT_ONCE = 500  # rows or ids in one statement; SQLite takes 999 parameters at worst


@dataclass(frozen=True, slots=True)
class Count:
    """Requests of one project in one minute (aware, its first second)."""

    workspace_id: int
    project_id: str
    minute: datetime
    requests: int


@dataclass(frozen=True, slots=True)
class Quota:
    """A workspace's requests this month: how many it may make, has made, and when the count starts anew."""

    limit: int
    used: int
    resets_at: datetime

    @property
    def percent(self) -> int:
        """Used of the limit, 0 to 100, rounded down: 100 means that it is reached."""
        return min(100, self.used * 100 // self.limit) if self.limit else 100


@transaction.atomic
def record_batch(process: str, sequence: int, sealed_at: datetime, counts: list[Count]) -> None:
    """Keep a sealed batch; one that was recorded before is left alone."""
    batch, new = UsageBatch.objects.get_or_create(process=process, sequence=sequence, defaults={"sealed_at": sealed_at})
    if new:
        rows = (UsageCount(batch=batch, **{name: getattr(count, name) for name in COUNT_FIELDS}) for count in counts)
        UsageCount.objects.bulk_create(rows, batch_size=ROWS_AT_ONCE)


COUNT_FIELDS = ("workspace_id", "project_id", "minute", "requests")


def quotas(workspace_ids: Iterable[int], now: datetime) -> dict[int, Quota]:
    """The quota of each of these workspaces that exists, by id."""
    month, ids = month_of(now), list(workspace_ids)
    found: dict[int, Quota] = {}
    for start in range(0, len(ids), ROWS_AT_ONCE):
        rows = limits_and_uses(Workspace.objects.filter(pk__in=ids[start : start + ROWS_AT_ONCE]), month)
        found |= {pk: Quota(limit, used, month.end) for pk, limit, used in rows}
    return found


def limits_and_uses(workspaces: QuerySet[Workspace], month: Month) -> Iterable[tuple[int, int, int]]:
    """(workspace id, limit, used in `month`), by one statement (rule 2)."""
    own, free = WorkspacePlan.objects.filter(workspace=OuterRef("pk")), Plan.objects.filter(slug=FREE)
    limit = Coalesce(
        Subquery(own.values("plan__requests_per_month")),
        Subquery(free.values("requests_per_month")),
        Value(FREE_REQUESTS),
        output_field=BigIntegerField(),
    )
    used = used_by("workspace_id", "pk", month)
    return workspaces.annotate(limit=limit, used=used).values_list("pk", "limit", "used")


def used_by(column: str, outer: str, month: Month) -> CombinedExpression:
    """Folded + not yet folded requests of the rows whose `column` is the outer query's `outer`."""
    folded = UsageMonth.objects.filter(**{column: OuterRef(outer)}, month=month.first_day)
    waiting = UsageCount.objects.filter(**{column: OuterRef(outer)}, minute__gte=month.start, minute__lt=month.end)
    return total_of(folded, column) + total_of(waiting, column)


def total_of(rows: QuerySet[UsageMonth] | QuerySet[UsageCount], column: str) -> Coalesce:
    totals = rows.order_by().values(column).annotate(total=Sum("requests")).values("total")
    return Coalesce(Subquery(totals), Value(0), output_field=BigIntegerField())


def workspace_usage(workspace_id: int, now: datetime) -> Quota:
    """Raises KeyError when there is no such workspace."""
    return quotas([workspace_id], now)[workspace_id]


def project_usage(project_id: str, now: datetime) -> int:
    """Requests of a project this month."""
    return project_usages([project_id], now)[project_id]


def project_usages(project_ids: Iterable[str], now: datetime) -> dict[str, int]:
    """Requests of each project this month, 0 for those without any."""
    ids = list(project_ids)
    return {**dict.fromkeys(ids, 0), **by_project(now, project_id__in=ids)}


def workspace_projects_usage(workspace_id: int, now: datetime) -> dict[str, int]:
    """Requests this month of each project of a workspace that has made any, deleted ones too."""
    return by_project(now, workspace_id=workspace_id)


def by_project(now: datetime, **which: object) -> dict[str, int]:
    """Folded + not yet folded requests of this month's rows, by one statement (rule 2)."""
    month = month_of(now)
    folded = UsageMonth.objects.filter(**which, month=month.first_day)
    waiting = UsageCount.objects.filter(**which, minute__gte=month.start, minute__lt=month.end)
    both = folded.values_list("project_id", "requests").union(waiting.values_list("project_id", "requests"), all=True)
    totals: Counter[str] = Counter()
    for project_id, requests in both:
        totals[project_id] += requests
    return dict(totals)


@transaction.atomic
def fold(now: datetime, most: int = FOLDED_AT_ONCE) -> int:
    """Add up to `most` batches, oldest first, into hours and months. Return how many there were.

    The rows are locked, so that of two workers the second waits, and then finds them folded.
    """
    waiting = UsageBatch.objects.select_for_update().filter(folded_at=None).order_by("id")[:most]
    ids = [batch.pk for batch in waiting]
    for start in range(0, len(ids), ROWS_AT_ONCE):
        fold_batches(ids[start : start + ROWS_AT_ONCE], now)
    return len(ids)


def fold_batches(ids: list[int], now: datetime) -> None:
    counts = UsageCount.objects.filter(batch__in=ids)
    hours: Counter[tuple[int, str, datetime]] = Counter()
    months: Counter[tuple[int, str, date]] = Counter()
    sums = counts.order_by().values_list("workspace_id", "project_id", TruncHour("minute")).annotate(Sum("requests"))
    for workspace_id, project_id, hour, requests in sums:
        hours[workspace_id, project_id, hour] += requests
        months[workspace_id, project_id, month_of(hour).first_day] += requests
    add(UsageHour, "hour", hours)
    add(UsageMonth, "month", months)
    counts.delete()
    UsageBatch.objects.filter(pk__in=ids).update(folded_at=now)


def add(model: type[Model], period: str, totals: Mapping[tuple[int, str, Period], int]) -> None:
    """Add totals of (workspace, project, period) to their rows, in one order in every worker: no deadlocks."""
    rows = [({"workspace_id": w, "project_id": p, period: t}, totals[w, p, t]) for w, p, t in sorted(totals)]
    empty = [model(**key) for key, _ in rows]
    model._default_manager.bulk_create(empty, ignore_conflicts=True, batch_size=ROWS_AT_ONCE)
    for key, requests in rows:
        model._default_manager.filter(**key).update(requests=F("requests") + requests)
