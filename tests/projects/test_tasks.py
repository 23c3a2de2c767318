from datetime import timedelta

import time_machine
from django.utils import timezone

from projects.models import Change, Project
from projects.tasks import prune_changes, prune_keys


def test_only_changes_older_than_an_hour_are_forgotten(db: None) -> None:
    with time_machine.travel(timezone.now() - timedelta(minutes=61)):
        Change.objects.create(project_id="old")
    with time_machine.travel(timezone.now() - timedelta(minutes=59)):
        Change.objects.create(project_id="young")
    prune_changes()
    assert Change.objects.get().project_id == "young"


def test_only_keys_revoked_long_ago_are_forgotten(project: Project) -> None:
    old, young = project.keys.all()
    with time_machine.travel(timezone.now() - timedelta(days=91)):
        old.revoke()
    young.revoke()
    prune_keys()
    assert list(project.keys.all()) == [young]
