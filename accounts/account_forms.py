"""allauth's forms in Gluer's words. They are no part of forms.py, which allauth's forms are made from."""

from typing import Any

from allauth.account import forms
from allauth.account.adapter import get_adapter
from django.contrib.auth.hashers import make_password
from django.forms import EmailField, Field
from django.http import HttpRequest

from accounts.names import NO_ADDRESS

LABELS = {"Email": "E-mail address", "Remember Me": "Stay signed in"}


class InOwnWords:
    """A form with Gluer's labels, and without placeholders that repeat them."""

    fields: dict[str, Field]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.widget.attrs.pop("placeholder", None)
            if field.label:
                field.label = LABELS.get(str(field.label), str(field.label).capitalize())
            if isinstance(field, EmailField):
                field.error_messages["invalid"] = NO_ADDRESS


class LoginForm(InOwnWords, forms.LoginForm):
    """Signs in."""


class SignUpForm(InOwnWords, forms.SignupForm):
    """Works as much for an address that has an account as for one that has none."""

    def try_save(self, request: HttpRequest) -> Any:
        if self.account_already_exists:
            make_password(self.cleaned_data["password1"])
        return super().try_save(request)


class AddEmailForm(InOwnWords, forms.AddEmailForm):
    """Asks for another e-mail address, and tells the one that there is while its owner can still stop the change."""

    def save(self, request: HttpRequest) -> Any:
        wanted = {"to_email": self.cleaned_data["email"]}
        assert self.user is not None
        get_adapter(request).send_notification_mail("account/email/email_change_asked", self.user, wanted)
        return super().save(request)


class ChangePasswordForm(InOwnWords, forms.ChangePasswordForm):
    """Changes the password."""


class SetPasswordForm(InOwnWords, forms.SetPasswordForm):
    """Sets the first password."""


class ResetPasswordForm(InOwnWords, forms.ResetPasswordForm):
    """Has the link mailed that leads to a new password."""


class ResetPasswordKeyForm(InOwnWords, forms.ResetPasswordKeyForm):
    """Sets a new password, behind that link."""


class ReauthenticateForm(InOwnWords, forms.ReauthenticateForm):
    """Asks for the password once more."""
