"""Projects and their keys."""

from collections.abc import Iterable
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models, transaction
from django.db.models.signals import post_delete
from django.utils import timezone

from accounts.models import HINT_LENGTH, Workspace
from accounts.names import LONGEST_NAME, validate_name
from projects import credentials
from projects.changes import AnnouncedModel, AnnouncedQuerySet, Change, announce_deletion
from projects.origins import validate_origins

__all__ = ["Change", "Key", "Project"]

MOST_PROJECTS = 100  # per workspace
MOST_KEYS = 50  # not revoked ones, per project and kind
RATE_BOUNDS = [MinValueValidator(1), MaxValueValidator(1_000_000)]  # requests/s; the relay's own limits lie between


class Project(AnnouncedModel):
    """A tenant's unit on the relay: nothing of one project can be named or reached from another."""

    id = models.CharField(
        primary_key=True, max_length=12, default=credentials.make_project_id, editable=False, verbose_name="ID"
    )
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="projects")
    name = models.CharField(max_length=LONGEST_NAME, validators=[validate_name])
    encrypted_password = models.TextField(editable=False)
    password_digest = models.CharField(max_length=64, editable=False)
    require_password = models.BooleanField(
        "back ends must show the password",
        default=False,
        help_text="An additional proof beside the private key, over WebSocket and HTTP.",
    )
    allowed_origins = models.JSONField(
        default=list, blank=True, validators=[validate_origins], help_text="Empty: web pages of any origin."
    )
    hold_seconds = models.PositiveSmallIntegerField(
        "hold calls for",
        default=5,
        validators=[MaxValueValidator(60)],
        help_text="Seconds that a call waits for a back end that was just lost to come back; 0: not at all.",
    )
    session_rate = models.PositiveIntegerField(
        "requests a second of one session",
        default=50,
        validators=RATE_BOUNDS,
        help_text="Calls and sends of a visitor with the public key; bursts of twice as many. Not for back ends.",
    )
    address_rate = models.PositiveIntegerField(
        "requests a second of one address",
        default=200,
        validators=RATE_BOUNDS,
        help_text="The same of all visitors who share an IP address, as those of one office do.",
    )
    created_at = models.DateTimeField(auto_now_add=True)

    objects = AnnouncedQuerySet["Project"].as_manager()

    class Meta:
        ordering = ["created_at", "id"]

    def __str__(self) -> str:
        return self.name

    def announced_projects(self) -> Iterable[str]:
        return [self.id]

    def clean(self) -> None:
        """Refuse a project too many."""
        others = Project.objects.filter(workspace_id=self.workspace_id).exclude(pk=self.pk)
        if others.count() >= MOST_PROJECTS:
            raise ValidationError(f"A workspace has at most {MOST_PROJECTS} projects. Delete one first.")

    @transaction.atomic
    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save; a new project gets its password and one key of each kind, whichever way it came."""
        new = self._state.adding
        if new:
            self.put_password(credentials.make_password())
        super().save(*args, **kwargs)
        if new:
            for kind in Kind.values:
                Key.objects.create(project=self, kind=kind, name="First key")

    @classmethod
    @transaction.atomic
    def make(cls, workspace: Workspace, name: str) -> "Project":
        """A new project. Raises ValidationError for a bad name or one project too many."""
        Workspace.objects.select_for_update().get(pk=workspace.pk)  # two at once would both see room for one more
        project = cls(workspace=workspace, name=name)
        project.full_clean(exclude=["encrypted_password", "password_digest"])
        project.save()
        return project

    @property
    def password(self) -> str:
        return credentials.decrypt(self.encrypted_password)

    def regenerate_password(self) -> None:
        self.put_password(credentials.make_password())
        self.save(update_fields=["encrypted_password", "password_digest"])

    def put_password(self, password: str) -> None:
        self.encrypted_password = credentials.encrypt(password)
        self.password_digest = credentials.digest(password)

    def live_keys(self, kind: str) -> models.QuerySet["Key"]:
        return self.keys.filter(kind=kind, revoked_at=None)


class Kind(models.TextChoices):
    """Front ends show public keys, back ends private ones."""

    PUBLIC = credentials.PUBLIC, "Public"
    PRIVATE = credentials.PRIVATE, "Private"


class Key(AnnouncedModel):
    """An API key; encrypted because the dashboard shows it again, looked up by its digest."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="keys")
    kind = models.CharField(max_length=10, choices=Kind)
    name = models.CharField(max_length=LONGEST_NAME, validators=[validate_name])
    encrypted = models.TextField(editable=False)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    hint = models.CharField(max_length=HINT_LENGTH, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = AnnouncedQuerySet["Key"].as_manager()

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.name} ({self.masked})"

    def announced_projects(self) -> Iterable[str]:
        return [self.project_id]

    def clean(self) -> None:
        """Refuse a key too many."""
        others = Key.objects.filter(project_id=self.project_id, kind=self.kind, revoked_at=None).exclude(pk=self.pk)
        if self.revoked_at is None and others.count() >= MOST_KEYS:
            raise ValidationError(f"A project has at most {MOST_KEYS} {self.kind} keys. Revoke one first.")

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save; a new key is generated, whichever way it came."""
        if self._state.adding:
            self.put(credentials.make_key(self.kind, self.project_id))
        super().save(*args, **kwargs)

    @classmethod
    @transaction.atomic
    def make(cls, project: Project, kind: str, name: str) -> "Key":
        """A new key. Raises ValidationError for a bad name or kind, or one key too many."""
        Project.objects.select_for_update().get(pk=project.pk)  # two at once would both see room for one more
        key = cls(project=project, kind=kind, name=name)
        key.full_clean(exclude=["encrypted", "digest", "hint"])
        key.save()
        return key

    @property
    def text(self) -> str:
        return credentials.decrypt(self.encrypted)

    @property
    def masked(self) -> str:
        """What anybody may see of it, in an admin's list or a log."""
        return f"{credentials.PREFIXES[self.kind]}_{self.project_id}_…{self.hint}"

    def put(self, text: str) -> None:
        self.encrypted = credentials.encrypt(text)
        self.digest = credentials.digest(text)
        self.hint = text[-HINT_LENGTH:]

    def revoke(self) -> None:
        """End the key's use; a key revoked before keeps its moment."""
        if self.revoked_at is None:
            self.revoked_at = timezone.now()
            self.save(update_fields=["revoked_at"])


for model in (Project, Key):
    post_delete.connect(announce_deletion, sender=model)
