"""What Gluer changes in allauth."""

from allauth.account.adapter import DefaultAccountAdapter
from django.contrib.auth.base_user import AbstractBaseUser
from django.forms import BaseForm
from django.http import HttpRequest

from accounts.models import User


class AccountAdapter(DefaultAccountAdapter):
    def save_user(
        self, request: HttpRequest, user: AbstractBaseUser, form: BaseForm, commit: bool = True
    ) -> AbstractBaseUser:
        """Store the name before the first save, since that names the personal workspace after it."""
        if isinstance(user, User):
            user.name = form.cleaned_data["name"]
        return super().save_user(request, user, form, commit)
