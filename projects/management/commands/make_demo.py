"""The demo account and project, so that the first page is not empty."""

import json
import os
from pathlib import Path
from typing import Any

from allauth.account.models import EmailAddress
from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import transaction

from accounts.alphabet import random_text
from accounts.models import User
from projects.models import Kind, Project

EMAIL = "demo@gluer.localhost"
PROJECT = "Demo calculator"
PASSWORD_LENGTH = 16  # characters: 80 bits


class Command(BaseCommand):
    help = "Make the demo account and project, or find them; what they are stands in GLUER_HOME/demo.json (0600)."

    def handle(self, *args: Any, **options: Any) -> None:
        path = Path(settings.HOME) / "demo.json"
        password = password_in(path) or random_text(PASSWORD_LENGTH)
        with transaction.atomic():
            project = demo_project(demo_user(password))
            private_key, public_key = (live_key(project, kind) for kind in (Kind.PRIVATE, Kind.PUBLIC))
        write(path, email=EMAIL, password=password, project=project.id, private_key=private_key, public_key=public_key)
        self.stdout.write(f"The demo account and project are described in {path}.")


def password_in(path: Path) -> str:
    """The password written at an earlier call; empty at the first."""
    return str(json.loads(path.read_text())["password"]) if path.exists() else ""


def demo_user(password: str) -> User:
    user = User.objects.filter(email=EMAIL).first() or User.objects.create_user(EMAIL, password, name="Demo")
    EmailAddress.objects.update_or_create(user=user, email=EMAIL, defaults={"verified": True, "primary": True})
    if not user.check_password(password):  # the file was lost: what it says from now on must hold
        user.set_password(password)
        user.save(update_fields=["password"])
    return user


def demo_project(user: User) -> Project:
    workspace = user.memberships.select_related("workspace").earliest("id").workspace
    return workspace.projects.filter(name=PROJECT).first() or Project.make(workspace, PROJECT)


def live_key(project: Project, kind: Kind) -> str:
    key = project.live_keys(kind).first() or project.keys.create(kind=kind, name="Demo key")
    return key.text


def write(path: Path, **content: str) -> None:
    """Readable by its owner only, and whole at every moment."""
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(content, file, indent=1)
    draft.replace(path)
