"""Forms of people and workspaces."""

# mypy: allow-any-generics
# Django's admin and form classes cannot be subscripted at run time.

from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.http import HttpRequest
from django.utils import timezone

from accounts.models import Membership, Role, User, Workspace
from accounts.names import LONGEST_NAME, validate_name


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

    email = forms.EmailField(label="E-mail address", max_length=254)
    field_order = ["email", "role"]

    def __init__(self, inviter: Membership, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["role"].choices = [(role.value, role.label) for role in inviter.may_give]  # type: ignore[attr-defined]


class TokenForm(forms.Form):
    name = forms.CharField(max_length=LONGEST_NAME, validators=[validate_name], help_text="Where you will use it.")
    days = forms.TypedChoiceField(
        label="Valid for",
        choices=[(30, "30 days"), (90, "90 days"), (365, "a year"), ("", "ever")],
        coerce=int,
        empty_value=None,
        required=False,
        initial=90,
    )

    def expires_at(self) -> datetime | None:
        days = self.cleaned_data["days"]
        return timezone.now() + timedelta(days=days) if days else None
