"""REST by personal access token: `Authorization: Bearer gluer_pat_…`."""

from datetime import timedelta

from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from accounts.digests import digest
from accounts.models import TOKEN_PREFIX, AccessToken, User

USE_NOTED_EVERY = timedelta(minutes=1)  # so that a busy script does not write at every request


class AccessTokenAuthentication(BaseAuthentication):
    def authenticate(self, request: Request) -> tuple[User, AccessToken] | None:
        scheme, _, text = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        token = find_token(text.strip())
        if token is None:
            raise AuthenticationFailed(
                f"This access token ({TOKEN_PREFIX}…) is unknown, revoked, expired or ended by a new password. "
                "Make one on your profile page."
            )
        note_use(token)
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


def find_token(text: str) -> AccessToken | None:
    tokens = AccessToken.objects.select_related("user").filter(expires_at__gt=timezone.now(), user__is_active=True)
    return tokens.filter(digest=digest(text)).first()


def note_use(token: AccessToken) -> None:
    now = timezone.now()
    if token.last_used_at is None or now - token.last_used_at > USE_NOTED_EVERY:
        AccessToken.objects.filter(pk=token.pk).update(last_used_at=now)
