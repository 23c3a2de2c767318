"""Forms of people and workspaces."""

# mypy: allow-any-generics
# Django's admin and form classes cannot be subscripted at run time.

from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.http import HttpRequest
from django.utils import timezone

from accounts.models import LONGEST_TOKEN_LIFE, TOKEN_LIFE, Membership, Role, Scope, User, Workspace
from accounts.names import LONGEST_NAME, NO_ADDRESS, validate_address, validate_name


class SignupForm(forms.Form):
    """What sign-up asks for beyond allauth's e-mail and passwords; the adapter stores it."""

    name = forms.CharField(
        max_length=LONGEST_NAME, validators=[validate_name], widget=forms.TextInput(attrs={"autocomplete": "name"})
    )
    field_order = ["name", "email", "password1", "password2"]

    def signup(self, request: HttpRequest, user: User) -> None:
        """allauth asks for this method; AccountAdapter.save_user has stored the name already."""


class NameForm(forms.ModelForm):
    class Meta:
        model = User
        fields = ["name"]


class WorkspaceForm(forms.ModelForm):
    class Meta:
        model = Workspace
        fields = ["name"]


class RoleForm(forms.Form):
    role = forms.ChoiceField(choices=Role.choices, initial=Role.MEMBER)


class InvitationForm(RoleForm):
    """Asks whom to invite, and as what: at most the inviter's own role."""

    email = forms.EmailField(
        label="E-mail address",
        max_length=254,
        validators=[validate_address],
        error_messages={"invalid": NO_ADDRESS},
    )
    field_order = ["email", "role"]

    def __init__(self, inviter: Membership, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["role"].choices = [(role.value, role.label) for role in inviter.may_give]  # type: ignore[attr-defined]


class TokenForm(forms.Form):
    name = forms.CharField(max_length=LONGEST_NAME, validators=[validate_name], help_text="Where you will use it.")
    scope = forms.ChoiceField(
        label="Scope",
        choices=Scope.choices,
        initial=Scope.READ,
        help_text="A token that may only read changes nothing and sees no private key or password.",
    )
    days = forms.TypedChoiceField(
        label="Valid for",
        choices=[(days, f"{days} days") for days in (7, 30, TOKEN_LIFE.days, LONGEST_TOKEN_LIFE.days)],
        coerce=int,
        initial=TOKEN_LIFE.days,
    )

    def expires_at(self) -> datetime:
        return timezone.now() + timedelta(days=self.cleaned_data["days"])
