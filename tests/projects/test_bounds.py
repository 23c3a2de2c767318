"""A bound holds for two who reach it at the same moment."""

import threading
from collections.abc import Callable

import pytest
from django.core.exceptions import ValidationError
from django.db import connection

from accounts.models import MOST_TOKENS, AccessToken, Workspace
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
def test_of_two_owners_one_stays(workspace: Workspace, bob: object) -> None:
    workspace.memberships.update(role="owner")
    members = list(workspace.memberships.all())
    assert at_once(lambda: members.pop().leave(), people=2) == 1
    assert workspace.memberships.count() == 1
