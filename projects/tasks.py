"""What Celery does for projects."""

from datetime import timedelta

from celery import shared_task
from django.utils import timezone

from projects.models import Change, Key

CHANGES_KEPT = timedelta(hours=1)  # relays re-read the last 30 s
REVOKED_KEPT = timedelta(days=90)


@shared_task  # type: ignore[untyped-decorator]
def prune_changes() -> None:
    """Forget changes every relay has long read."""
    Change.objects.filter(created_at__lt=timezone.now() - CHANGES_KEPT).delete()


@shared_task  # type: ignore[untyped-decorator]
def prune_keys() -> None:
    """Forget keys that were revoked long ago."""
    Key.objects.filter(revoked_at__lt=timezone.now() - REVOKED_KEPT).delete()
