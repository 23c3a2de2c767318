"""Plans, and the counts of requests on their way from sealed batches to hours and months (GP-40)."""

from collections.abc import Iterable

from django.db import models
from django.db.models.signals import post_delete

from accounts.models import Workspace
from projects.changes import AnnouncedModel, AnnouncedQuerySet, announce_deletion
from projects.models import Project

FREE = "free"
FREE_REQUESTS = 1_000_000  # a month; holds when nobody has changed the row


class Plan(models.Model):
    slug = models.SlugField(primary_key=True, max_length=40)
    name = models.CharField(max_length=100)
    requests_per_month = models.PositiveBigIntegerField()

    class Meta:
        ordering = ["requests_per_month"]

    def __str__(self) -> str:
        return self.name


class WorkspacePlan(AnnouncedModel):
    """The plan of a workspace; a workspace without a row is on the free plan."""

    workspace = models.OneToOneField(Workspace, on_delete=models.CASCADE, related_name="workspace_plan")
    plan = models.ForeignKey(Plan, on_delete=models.PROTECT, related_name="workspace_plans")

    objects = AnnouncedQuerySet["WorkspacePlan"].as_manager()

    def __str__(self) -> str:
        return f"{self.workspace}: {self.plan}"

    def announced_projects(self) -> Iterable[str]:
        return Project.objects.filter(workspace_id=self.workspace_id).values_list("id", flat=True)


post_delete.connect(announce_deletion, sender=WorkspacePlan)


class UsageBatch(models.Model):
    """One sealed batch of a relay process, applied once: (process, sequence) says whether it is here already."""

    process = models.CharField(max_length=100)
    sequence = models.BigIntegerField()
    sealed_at = models.DateTimeField()
    folded_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "usage batches"
        constraints = [models.UniqueConstraint(fields=["process", "sequence"], name="batch_applied_once")]
        indexes = [
            models.Index(fields=["id"], name="batches_to_fold", condition=models.Q(folded_at=None)),
            models.Index(fields=["folded_at"], name="batches_by_folding"),
        ]

    def __str__(self) -> str:
        return f"{self.process} #{self.sequence}"


class UsageCount(models.Model):
    """Requests of a project in one minute, not folded yet. Plain ids: a deleted project's requests stay counted."""

    batch = models.ForeignKey(UsageBatch, on_delete=models.CASCADE, related_name="counts")
    workspace_id = models.BigIntegerField()
    project_id = models.CharField(max_length=12)
    minute = models.DateTimeField()
    requests = models.PositiveBigIntegerField()

    class Meta:
        indexes = [
            models.Index(fields=["workspace_id", "minute"], name="counts_by_workspace"),
            models.Index(fields=["project_id", "minute"], name="counts_by_project"),
        ]

    def __str__(self) -> str:
        return f"{self.project_id} at {self.minute}: {self.requests}"


class UsageHour(models.Model):
    workspace_id = models.BigIntegerField()
    project_id = models.CharField(max_length=12)
    hour = models.DateTimeField(db_index=True)
    requests = models.PositiveBigIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace_id", "project_id", "hour"], name="one_row_per_hour")]

    def __str__(self) -> str:
        return f"{self.project_id} at {self.hour}: {self.requests}"


class UsageMonth(models.Model):
    """Requests in a calendar month (UTC); `month` is its first day."""

    workspace_id = models.BigIntegerField()
    project_id = models.CharField(max_length=12, db_index=True)
    month = models.DateField()
    requests = models.PositiveBigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace_id", "month", "project_id"], name="one_row_per_month")
        ]

    def __str__(self) -> str:
        return f"{self.project_id} in {self.month:%Y-%m}: {self.requests}"


class UsageNotice(models.Model):
    """A mail that was sent: one per workspace, month and step."""

    workspace_id = models.BigIntegerField()
    month = models.DateField()
    percent = models.PositiveSmallIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace_id", "month", "percent"], name="one_notice_per_step")]

    def __str__(self) -> str:
        return f"workspace {self.workspace_id}, {self.month:%Y-%m}: {self.percent} %"


class UsageSpike(models.Model):
    """A mail that was sent about an hour of much use: one per workspace and hour."""

    workspace_id = models.BigIntegerField()
    hour = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace_id", "hour"], name="one_spike_per_hour")]

    def __str__(self) -> str:
        return f"workspace {self.workspace_id}, {self.hour}"
