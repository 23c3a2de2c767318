"""What Celery does for accounts."""

from importlib import import_module

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from accounts.models import AccessToken


@shared_task  # type: ignore[untyped-decorator]
def prune_sessions() -> None:
    """Forget expired sessions and access tokens; Django leaves its own to whoever runs it."""
    import_module(settings.SESSION_ENGINE).SessionStore.clear_expired()
    AccessToken.objects.filter(expires_at__lt=timezone.now()).delete()
