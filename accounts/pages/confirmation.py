"""The mail that asks to confirm an address is sent again to whoever has just signed up or in with it."""

from allauth.account.internal.flows.email_verification import send_verification_email_at_login
from allauth.account.internal.stagekit import unstash_login
from allauth.account.models import Login
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.cache import never_cache

from accounts.decorators import posted_from
from accounts.models import User


@never_cache
@posted_from("account_email_verification_sent")
def resend(request: HttpRequest) -> HttpResponse:
    """Send it again. An address that has an account gets the mail that says so: nobody learns which of the two."""
    login = waiting_login(request)
    if login is None or not send_verification_email_at_login(request, login):
        messages.info(request, "There is nothing to confirm in this browser: sign in.")
        return redirect("account_login")
    messages.success(request, f"We have sent the mail again, to {address_of(login)}.")
    return redirect("account_email_verification_sent")


def waiting_login(request: HttpRequest) -> Login | None:
    """What waits in this browser until an address is confirmed, for a quarter of an hour (ACCOUNT_LOGIN_TIMEOUT)."""
    return unstash_login(request, peek=True)


def address_of(login: Login) -> str:
    """The address it waits for; a sign-up with an address that has an account is of no user."""
    return login.email or (login.user.email if isinstance(login.user, User) else "")
