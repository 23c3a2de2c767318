"""Forms of people and workspaces."""

from django import forms
from django.http import HttpRequest

from accounts.models import User


class SignupForm(forms.Form):
    """What sign-up asks for beyond allauth's e-mail and passwords; the adapter stores it."""

    name = forms.CharField(max_length=100, label="Name", widget=forms.TextInput(attrs={"autocomplete": "name"}))
    field_order = ["name", "email", "password1", "password2"]

    def signup(self, request: HttpRequest, user: User) -> None:
        """allauth asks for this method; AccountAdapter.save_user has stored the name already."""
