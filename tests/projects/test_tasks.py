from datetime import timedelta

import time_machine
from django.utils import timezone

from projects.models import Change
from projects.tasks import prune_changes


def test_only_changes_older_than_an_hour_are_forgotten(db: None) -> None:
    with time_machine.travel(timezone.now() - timedelta(minutes=61)):
        Change.objects.create(project_id="old")
    with time_machine.travel(timezone.now() - timedelta(minutes=59)):
        Change.objects.create(project_id="young")
    prune_changes()
    assert Change.objects.get().project_id == "young"
