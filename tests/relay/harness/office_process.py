"""The office's own process: reads requests, one JSON object a line, and answers each with a line.

Everything goes through the ORM, as it does from a page, the admin site or a task.
"""

import json
import os
import sys
from collections.abc import Callable
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gluer_site.settings")
django.setup()

from django.db import close_old_connections  # noqa: E402
from django.db.models import Sum  # noqa: E402
from django.utils import timezone  # noqa: E402

from accounts.models import AccessToken, User, Workspace  # noqa: E402
from billing.models import Plan, UsageBatch, UsageCount, UsageHour, UsageMonth, WorkspacePlan  # noqa: E402
from billing.months import month_of  # noqa: E402
from billing.tasks import fold_usage  # noqa: E402
from billing.usage import project_usage, workspace_usage  # noqa: E402
from projects.models import Key, Kind, Project  # noqa: E402


def person(email: str, name: str) -> dict[str, Any]:
    """A new user with a workspace of their own."""
    user = User.objects.create(email=email, name=name)
    return {"workspace": user.workspaces.get().pk, "token": AccessToken.make(user, "Tests")[1]}


def project(workspace: int, name: str) -> dict[str, Any]:
    """A new one, whose visitors are not limited: a test's page calls as often as a thousand do."""
    made = Project.make(Workspace.objects.get(pk=workspace), name)
    change_project(made.pk, session_rate=1_000_000, address_rate=1_000_000)
    keys = {kind: made.live_keys(kind).get() for kind in Kind.values}
    return {
        "id": made.pk,
        "workspace": workspace,
        "password": made.password,
        "public": keys[Kind.PUBLIC].text,
        "private": keys[Kind.PRIVATE].text,
    }


def change_project(id: str, **settings: Any) -> None:
    changed = Project.objects.get(pk=id)
    for name, value in settings.items():
        setattr(changed, name, value)
    changed.save()


def regenerate_password(id: str) -> str:
    changed = Project.objects.get(pk=id)
    changed.regenerate_password()
    return changed.password


def delete_project(id: str) -> None:
    Project.objects.get(pk=id).delete()


def new_key(project: str, kind: str) -> str:
    return Key.make(Project.objects.get(pk=project), kind, "Another key").text


def revoke(key: str) -> None:
    next(found for found in Key.objects.filter(project_id=key.split("_")[2]) if found.text == key).revoke()


def set_plan(workspace: int, requests: int) -> str:
    """Put the workspace on a plan of its own."""
    plan, _ = Plan.objects.get_or_create(slug=f"plan-{workspace}-{requests}", defaults={"requests_per_month": requests})
    WorkspacePlan.objects.update_or_create(workspace_id=workspace, defaults={"plan": plan})
    return plan.slug


def change_plan(slug: str, requests: int) -> None:
    """Change the plan itself, for all who are on it."""
    plan = Plan.objects.get(pk=slug)
    plan.requests_per_month = requests
    plan.save()


def used(workspace: int) -> int:
    """Requests of the workspace this month, as the plan's limit sees them."""
    return workspace_usage(workspace, timezone.now()).used


def project_used(id: str) -> int:
    return project_usage(id, timezone.now())


def resets_at() -> str:
    return month_of(timezone.now()).end.isoformat().replace("+00:00", "Z")


def add_batches(project: str, workspace: int, process: str, number: int) -> None:
    """Sealed batches of one request each, as if a relay had written them."""
    now = timezone.now()
    batches = [UsageBatch(process=process, sequence=sequence, sealed_at=now) for sequence in range(number)]
    UsageBatch.objects.bulk_create(batches, batch_size=300)
    minute = now.replace(second=0, microsecond=0)
    UsageCount.objects.bulk_create(
        [
            UsageCount(batch=batch, workspace_id=workspace, project_id=project, minute=minute, requests=1)
            for batch in UsageBatch.objects.filter(process=process)
        ],
        batch_size=150,
    )


def waiting_batches() -> int:
    return UsageBatch.objects.filter(folded_at=None).count()


def folded(project: str) -> dict[str, int]:
    """What stands in the hours and the months, and what is not folded yet."""
    return {
        model.__name__: model.objects.filter(project_id=project).aggregate(total=Sum("requests"))["total"] or 0
        for model in (UsageHour, UsageMonth, UsageCount)
    }


def ask_for_folding() -> None:
    """Put the task in the worker's queue."""
    fold_usage.delay()


COMMANDS: dict[str, Callable[..., Any]] = {
    function.__name__: function
    for function in (
        person, project, change_project, regenerate_password, delete_project, new_key, revoke, set_plan, change_plan,
        used, project_used, resets_at, add_batches, waiting_batches, folded, ask_for_folding,
    )
}  # fmt: skip

if __name__ == "__main__":
    for line in sys.stdin:
        name, arguments = json.loads(line)
        close_old_connections()  # as before each request for a page: the database may have been away
        print(json.dumps(COMMANDS[name](**arguments)), flush=True)
