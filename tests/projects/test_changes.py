"""Every way of changing what open sockets feel writes a Change, in the same transaction."""

from collections.abc import Callable

import pytest
from django.db import transaction

from accounts.models import User, Workspace
from billing.models import Plan, WorkspacePlan
from projects.models import Change, Key, Project


def rename(project: Project) -> None:
    project.name = "Store"
    project.save()


def revoke(project: Project) -> None:
    project.keys.get(kind="private").revoke()


def give_plan(project: Project) -> None:
    plan = Plan.objects.create(slug="big", name="Big", requests_per_month=10**9)
    WorkspacePlan.objects.create(workspace_id=project.workspace_id, plan=plan)


WAYS: dict[str, Callable[[Project], object]] = {
    "saved": rename,
    "updated": lambda p: Project.objects.filter(pk=p.pk).update(require_password=True),
    "updated in bulk": lambda p: Project.objects.bulk_update([p], ["name"]),
    "password regenerated": lambda p: p.regenerate_password(),
    "deleted": lambda p: p.delete(),
    "deleted as a queryset": lambda p: Project.objects.filter(pk=p.pk).delete(),
    "workspace deleted": lambda p: p.workspace.delete(),
    "key made": lambda p: Key.make(p, "private", "second"),
    "key created": lambda p: p.keys.create(kind="public", name="second"),
    "key revoked": revoke,
    "keys updated": lambda p: p.keys.update(name="renamed"),
    "key deleted": lambda p: p.keys.get(kind="private").delete(),
    "keys deleted": lambda p: p.keys.all().delete(),
    "plan given": give_plan,
}


@pytest.mark.parametrize("way", WAYS)
def test_every_way_of_changing_is_announced(project: Project, charlie: User, way: str) -> None:
    project_id = project.id
    Change.objects.all().delete()
    WAYS[way](project)
    assert set(Change.objects.values_list("project_id", flat=True)) == {project_id}


@pytest.mark.parametrize("way", ["changed", "ended"])
def test_a_changed_plan_is_announced(project: Project, way: str) -> None:
    give_plan(project)
    own = WorkspacePlan.objects.get()
    Change.objects.all().delete()
    if way == "ended":
        own.delete()
    else:
        WorkspacePlan.objects.update(plan="free")
    assert Change.objects.get().project_id == project.id


def test_a_new_project_is_announced(workspace: Workspace) -> None:
    project = Project.make(workspace, "Shop")
    assert Change.objects.filter(project_id=project.id).exists()


@pytest.mark.parametrize("way", sorted(WAYS.keys() - {"workspace deleted"}))
@pytest.mark.django_db(transaction=True)
def test_what_is_rolled_back_is_not_announced(project: Project, way: str) -> None:
    before = Change.objects.count()
    with pytest.raises(RollbackError), transaction.atomic():
        fail_after(WAYS[way], project)
    assert Change.objects.count() == before


@pytest.mark.django_db(transaction=True)
def test_without_a_change_there_is_no_announcement_and_without_that_no_change(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object) -> None:
        raise RollbackError

    monkeypatch.setattr("projects.changes.announce", fail)
    with pytest.raises(RollbackError):
        rename(project)
    project.refresh_from_db()
    assert project.name == "Shop"


class RollbackError(Exception):
    pass


def fail_after(way: Callable[[Project], object], project: Project) -> None:
    way(project)
    raise RollbackError
