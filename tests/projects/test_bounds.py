"""A bound holds for two who reach it at the same moment."""

import threading
from collections.abc import Callable

import pytest
from django.core.exceptions import ValidationError
from django.db import connection

from accounts.models import MOST_TOKENS, AccessToken, Membership, Role, User, Workspace
from projects.models import MOST_KEYS, MOST_PROJECTS, Key, Project


def at_once(make: Callable[[], object], people: int = 4) -> int:
    """Run `make` in several threads at the same moment; how many of them were not refused."""
    start, made = threading.Barrier(people), []

    def run() -> None:
        start.wait()
        try:
            made.append(make())
        except ValidationError:
            pass
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(people)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(made)


@pytest.mark.django_db(transaction=True)
def test_the_last_project_is_made_once(workspace: Workspace) -> None:
    Project.objects.bulk_create(Project(workspace=workspace, name=str(n)) for n in range(MOST_PROJECTS - 1))
    assert at_once(lambda: Project.make(workspace, "last")) == 1
    assert workspace.projects.count() == MOST_PROJECTS


@pytest.mark.django_db(transaction=True)
def test_the_last_key_is_made_once(project: Project) -> None:
    for number in range(MOST_KEYS - 2):
        Key.objects.create(project=project, kind="public", name=str(number))
    assert at_once(lambda: Key.make(project, "public", "last")) == 1


@pytest.mark.django_db(transaction=True)
def test_the_last_token_is_made_once(workspace: Workspace) -> None:
    alice = workspace.members.get()
    for number in range(MOST_TOKENS - 1):
        AccessToken.make(alice, str(number))
    assert at_once(lambda: AccessToken.make(alice, "last")) == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("act", ["leave", "step down"])
def test_who_was_made_the_last_owner_meanwhile_stays(workspace: Workspace, bob: User, act: str) -> None:
    """Bob’s request has read that he owns nothing; Alice hands over to him and leaves before it has the lock."""
    alices, bobs = (workspace.memberships.get(user=user) for user in (workspace.members.first(), bob))
    read, handed_over = threading.Event(), threading.Event()
    refusals: list[ValidationError] = []

    def leave() -> None:
        stale = Membership.objects.get(pk=bobs.pk)
        read.set()
        handed_over.wait()
        try:
            stale.leave() if act == "leave" else stale.change_role(Role.ADMIN)
        except ValidationError as refusal:
            refusals.append(refusal)
        finally:
            connection.close()

    request = threading.Thread(target=leave)
    request.start()
    read.wait()
    bobs.change_role(Role.OWNER)
    alices.leave()
    handed_over.set()
    request.join()
    assert workspace.memberships.get().role == Role.OWNER
    assert "needs an owner" in str(refusals[0])


@pytest.mark.django_db(transaction=True)
def test_who_was_removed_meanwhile_gets_no_role_and_leaves_no_error(workspace: Workspace, bob: User) -> None:
    member = workspace.memberships.get(user=bob)
    Membership.objects.get(pk=member.pk).leave()
    for act in (member.leave, lambda: member.change_role(Role.OWNER)):
        with pytest.raises(ValidationError, match="no longer a member"):
            act()
    assert not workspace.memberships.filter(user=bob).exists()


@pytest.mark.django_db(transaction=True)
def test_of_two_owners_one_stays(workspace: Workspace, bob: object) -> None:
    workspace.memberships.update(role="owner")
    members = list(workspace.memberships.all())
    assert at_once(lambda: members.pop().leave(), people=2) == 1
    assert workspace.memberships.count() == 1
