"""Devices on which somebody has logged in before: a signed cookie, so that others' wrong passwords lock nobody out.

The cookie opens nothing. It only counts its owner's attempts apart from everybody else's (OWASP, "Slow Down Online
Guessing Attacks with Device Cookies").
"""

from django.conf import settings
from django.core import signing
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare

from accounts.models import User

COOKIE = "gluer_device"
KEPT = 365 * 24 * 3600  # s after a log-in
SALT = "accounts.devices"


def remember(response: HttpResponse, user: User) -> None:
    """Mark the browser that gets this answer as one of the user's devices, until they change their password."""
    response.set_cookie(
        COOKIE,
        signing.dumps([user.pk, user.get_session_auth_hash()], salt=SALT),
        max_age=KEPT,
        path="/accounts/",
        httponly=True,
        secure=settings.SESSION_COOKIE_SECURE,
        samesite="Lax",
    )


def owner(request: HttpRequest, email: str) -> User | None:
    """The user with this e-mail address, if this is one of their devices."""
    try:
        user_id, password = signing.loads(request.COOKIES.get(COOKIE, ""), salt=SALT, max_age=KEPT)
    except signing.BadSignature:
        return None
    user = User.objects.filter(pk=user_id, email=email.lower()).first()
    return user if user and constant_time_compare(password, user.get_session_auth_hash()) else None
