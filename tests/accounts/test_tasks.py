from datetime import timedelta

import pytest
import time_machine
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from accounts.models import AccessToken, Invitation, Role, User
from accounts.tasks import deliver, prune_sessions


def test_only_what_has_expired_is_forgotten(alice: User) -> None:
    now = timezone.now()
    with time_machine.travel(now - timedelta(days=30)):
        Client().force_login(alice)
        AccessToken.make(alice, "old", now - timedelta(days=1))
    Client().force_login(alice)
    AccessToken.make(alice, "young", now + timedelta(days=1))
    AccessToken.make(alice, "as usual")
    for days in (29, 31):
        invitation = Invitation.make(alice.memberships.get(), f"{days}@example.org", Role.MEMBER)
        Invitation.objects.filter(pk=invitation.pk).update(expires_at=now - timedelta(days=days))
    prune_sessions()
    assert Invitation.objects.get().email == "29@example.org"
    assert Session.objects.count() == 1
    assert {token.name for token in AccessToken.objects.all()} == {"young", "as usual"}


def test_a_mail_that_cannot_leave_fails_at_once_where_there_is_no_worker(settings: Settings) -> None:
    settings.EMAIL_BACKEND, settings.EMAIL_HOST = "django.core.mail.backends.smtp.EmailBackend", "127.0.0.1"
    settings.EMAIL_PORT = 1
    with pytest.raises(ConnectionRefusedError):
        deliver.delay("Subject", "Body", None, ["dora@example.org"])
