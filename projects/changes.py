"""What open sockets must feel: a Change row in the transaction of every change, whichever way it came.

Rule 1: saving a model announces (AnnouncedModel.save), deleting too (post_delete), and so does QuerySet.update.
Rule 2: the row is written in the change's own transaction: relays never hear of what was rolled back.
Rule 3: what no socket can feel (QUIET fields) is not announced, or every key's use would make all relays look.
"""

from collections.abc import Iterable
from typing import Any, Generic, TypeVar

from django.db import models, transaction

QUIET = {"last_used_at"}


class Change(models.Model):
    """Something about a project changed. Relays poll for these; the id is plain, since the project may be gone."""

    project_id = models.CharField(max_length=12, db_index=True)
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)

    class Meta:
        app_label = "projects"
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.project_id} at {self.created_at}"


def announce(project_ids: Iterable[str]) -> None:
    """Write a Change for each project; call it inside the transaction of the change."""
    Change.objects.bulk_create([Change(project_id=project_id) for project_id in set(project_ids)], batch_size=500)


M = TypeVar("M", bound="AnnouncedModel")


class AnnouncedQuerySet(models.QuerySet[M], Generic[M]):
    def update(self, **values: Any) -> int:
        if values.keys() <= QUIET:
            return super().update(**values)
        with transaction.atomic():
            touched = [project_id for row in self for project_id in row.announced_projects()]
            changed = super().update(**values)
            announce(touched)
            return changed


class AnnouncedModel(models.Model):
    """A model whose changes open sockets must feel."""

    class Meta:
        abstract = True

    @transaction.atomic
    def save(self, *args: Any, **kwargs: Any) -> None:
        super().save(*args, **kwargs)
        announce(self.announced_projects())

    def announced_projects(self) -> Iterable[str]:
        """The ids of the projects whose sockets feel a change of this row."""
        raise NotImplementedError


def announce_deletion(sender: type[AnnouncedModel], instance: AnnouncedModel, **kwargs: Any) -> None:
    """For post_delete, which Django sends inside the deletion's transaction."""
    announce(instance.announced_projects())
