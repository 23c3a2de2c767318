"""What Gluer changes in allauth."""

from ipaddress import IPv6Address, ip_address
from typing import Any
from urllib.parse import urlsplit

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.forms import default_token_generator
from allauth.account.internal.stagekit import unstash_login
from allauth.account.models import EmailAddress
from allauth.account.utils import user_pk_to_url_str
from allauth.core.internal import ratelimit
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.mail import EmailMessage
from django.forms import BaseForm
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from accounts import devices
from accounts.mails import Queue
from accounts.models import User
from accounts.names import validate_address

APP = "allauth.account"  # whose ACCOUNT_RATE_LIMITS are counted


class AccountAdapter(DefaultAccountAdapter):
    error_messages = DefaultAccountAdapter.error_messages | {
        "account_inactive": "An operator has closed this account.",
        "duplicate_email": "You have this address already, or it waits until you confirm it.",
        "email_password_mismatch": "The e-mail address or the password is not correct.",
        "email_taken": "This e-mail address belongs to another account.",
        "enter_current_password": "This is not your current password.",
        "incorrect_password": "The password is not correct.",
        "invalid_password_reset": "This link has ended. Have a new one mailed.",
        "too_many_login_attempts": "Too many failed attempts to sign in. Wait five minutes and try again; if that does "
        "not help, choose a new password by mail, or come back tomorrow.",
    }

    def save_user(
        self, request: HttpRequest, user: AbstractBaseUser, form: BaseForm, commit: bool = True
    ) -> AbstractBaseUser:
        """Store the name before the first save, since that names the personal workspace after it."""
        if isinstance(user, User):
            user.name = form.cleaned_data["name"]
        return super().save_user(request, user, form, commit)

    def clean_email(self, email: str) -> str:
        """Refuse addresses that cannot be told from others, or that no mail can be sent to."""
        validate_address(email)
        return super().clean_email(email)

    def get_client_ip(self, request: HttpRequest) -> str:
        """The address that attempts are counted by; an IPv4 address that came in as IPv6 is itself again."""
        found = super().get_client_ip(request)
        ip = ip_address(found)
        return str(ip.ipv4_mapped) if isinstance(ip, IPv6Address) and ip.ipv4_mapped else found

    # --- sign-ups ----------------------------------------------------------------------------------------------------

    def confirm_email(self, request: HttpRequest, email_address: EmailAddress) -> bool:
        """Confirm an address. The first one, confirmed in another browser than it signed up in, ends the password:
        a stranger may have signed up with it, and whoever reads its mail chooses another.
        """
        user = email_address.user
        first = not EmailAddress.objects.filter(user=user, verified=True).exists()
        login = unstash_login(request, peek=True)
        here = request.user == user or (login is not None and login.user == user)
        confirmed: bool = super().confirm_email(request, email_address)
        if confirmed and first and not here:
            user.set_unusable_password()
            user.save(update_fields=["password"])
        return confirmed

    def get_email_verification_redirect_url(self, email_address: EmailAddress) -> str:
        """Where to go after a confirmation: to a new password, where the old one has ended."""
        user = email_address.user
        if user.has_usable_password():
            url: str = super().get_email_verification_redirect_url(email_address)
            return url
        messages.info(self.request, "Your address is confirmed. Now choose a password.")
        key = default_token_generator.make_token(user)
        return reverse("account_reset_password_from_key", args=[user_pk_to_url_str(user), key])

    def get_password_change_redirect_url(self, request: HttpRequest) -> str:
        return reverse("profile")

    # --- log-ins -----------------------------------------------------------------------------------------------------

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        """Count an attempt to log in; `authenticate` takes the failure back when the password is right.

        A device that its owner has used before is counted by itself, all others by their addresses.
        Raises ValidationError when there were too many.
        """
        email = credentials.get("email", "").lower()
        owner = devices.owner(request, email)
        failures: list[ratelimit.SingleRateLimitUsage] = []
        if owner:
            self.count(request, "login_known", str(owner.pk))
            failures += self.count(request, "login_failed_known", str(owner.pk))
        else:
            self.count(request, "login_attempt", email)
            failures += self.count(request, "login_failed", self._get_login_attempts_cache_key(request, email=email))
            failures += self.count(request, "login_failed_anywhere", email)
        self._login_failed_rl_usage = ratelimit.RateLimitUsage(failures)

    def count(self, request: HttpRequest, action: str, key: str) -> "list[ratelimit.SingleRateLimitUsage]":
        """What was counted. Raises ValidationError when it was one too many."""
        counted = ratelimit.consume(request, app=APP, action=action, key=key)
        if counted is None:
            raise self.validation_error("too_many_login_attempts")
        return counted.usage

    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: Any) -> str:
        """Wrong passwords are counted by e-mail and address: nobody locks somebody else's log-in."""
        return f"{credentials.get('email', '').lower()} {ratelimit.get_ip(request)}"

    def _delete_login_attempts_cached_email(self, request: HttpRequest, **credentials: Any) -> None:
        """Forget wrong passwords once a new one was set by mail."""
        super()._delete_login_attempts_cached_email(request, **credentials)
        ratelimit.clear(request, app=APP, action="login_failed_anywhere", key=credentials["email"].lower())

    def post_login(self, request: HttpRequest, user: AbstractBaseUser, **details: Any) -> HttpResponse:
        """Know the device again."""
        response: HttpResponse = super().post_login(request, user, **details)
        if isinstance(user, User):
            devices.remember(response, user)
        return response

    # --- mails -------------------------------------------------------------------------------------------------------

    def render_mail(self, *args: Any, **kwargs: Any) -> EmailMessage:
        """A mail that leaves in the background."""
        mail: EmailMessage = super().render_mail(*args, **kwargs)
        mail.connection = Queue()
        return mail

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Send a mail unless its address has had too many like it, which whoever asked for it is not told."""
        if self.may_mail(template_prefix, email):
            super().send_mail(template_prefix, email, at_site(context))

    def may_mail(self, template_prefix: str, email: str) -> bool:
        """Count a mail of a kind to an address; False when it is one too many.

        Asking often keeps nobody from theirs: the links of earlier mails stay good, and devices of the address's
        owner are counted apart.
        """
        known = ":known" if devices.owner(self.request, email) else ""
        key = f"{template_prefix}:{email.lower()}{known}"
        return ratelimit.consume(self.request, app=APP, action="mail", key=key, limit_get=True) is not None


def at_site(context: dict[str, Any]) -> dict[str, Any]:
    """What a mail shows, with links that lead to SITE_URL, whatever `Host` the request had that asked for it."""
    site = urlsplit(settings.SITE_URL)
    links = {
        name: urlsplit(value)._replace(scheme=site.scheme, netloc=site.netloc).geturl()
        for name, value in context.items()
        if name.endswith("_url")
    }
    return {**context, **links, "site_url": settings.SITE_URL}
