"""What Celery does for accounts."""

from datetime import timedelta
from importlib import import_module

from celery import shared_task
from django.conf import settings
from django.core.mail import EmailMessage
from django.utils import timezone

from accounts.models import AccessToken, Invitation

ENDED_KEPT = timedelta(days=30)  # an invitation that has ended: its link says so meanwhile
MOST_TRIES = 8  # of a mail, the first wait is a second and each twice as long: four minutes


@shared_task  # type: ignore[untyped-decorator]
def prune_sessions() -> None:
    """Forget expired sessions, access tokens and invitations; Django leaves its own to whoever runs it."""
    import_module(settings.SESSION_ENGINE).SessionStore.clear_expired()
    AccessToken.objects.filter(expires_at__lt=timezone.now()).delete()
    Invitation.objects.filter(expires_at__lt=timezone.now() - ENDED_KEPT).delete()


@shared_task(autoretry_for=(OSError,), max_retries=MOST_TRIES, retry_backoff=True)  # type: ignore[untyped-decorator]
def deliver(subject: str, body: str, sender: str, to: list[str]) -> None:
    """Send a mail. A worker that is killed may send it twice, which is better than never."""
    EmailMessage(subject, body, sender, to).send()
