"""How people come into being, whoever makes them: sign-up, admin, shell or `manage.py createsuperuser`."""

from typing import TYPE_CHECKING, Any

from allauth.account.models import EmailAddress
from django.contrib.auth.base_user import BaseUserManager
from django.db import transaction

if TYPE_CHECKING:
    from accounts.models import User


class UserManager(BaseUserManager["User"]):
    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """Save a new user, and with it a personal workspace (User.save)."""
        user = self.model(email=email, **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    @transaction.atomic
    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """An operator. Who may run the command vouches for the address: it needs no confirmation."""
        user = self.create_user(email, password, **{**fields, "is_staff": True, "is_superuser": True})
        EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
        return user
