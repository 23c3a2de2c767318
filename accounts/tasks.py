"""What Celery does for accounts."""

from datetime import timedelta
from importlib import import_module

from celery import Task, shared_task
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


@shared_task(bind=True, max_retries=MOST_TRIES)  # type: ignore[untyped-decorator]
def deliver(self: Task, subject: str, body: str, sender: str, to: list[str]) -> None:
    """Send a mail. A worker that is killed may send it twice, which is better than never."""
    try:
        EmailMessage(subject, body, sender, to).send()
    except OSError as problem:
        if self.request.is_eager:  # a page waits
            raise
        raise self.retry(exc=problem, countdown=2**self.request.retries) from problem
