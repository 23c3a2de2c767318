"""Plans are changed here; counts are to look at only."""

# mypy: allow-any-generics
# Django's admin and form classes cannot be subscripted at run time.

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from billing.models import (
    FREE,
    Plan,
    UsageBatch,
    UsageCount,
    UsageHour,
    UsageMonth,
    UsageNotice,
    UsageSpike,
    WorkspacePlan,
)


@admin.register(Plan)
class PlanAdmin(admin.ModelAdmin):
    list_display = ["name", "slug", "requests_per_month"]
    search_fields = ["name", "slug"]

    def has_delete_permission(self, request: HttpRequest, obj: Plan | None = None) -> bool:
        """The free plan is everybody's who has no other."""
        return (obj is None or obj.slug != FREE) and super().has_delete_permission(request, obj)

    def get_readonly_fields(self, request: HttpRequest, obj: Plan | None = None) -> list[str]:
        return ["slug"] if obj else []


@admin.register(WorkspacePlan)
class WorkspacePlanAdmin(admin.ModelAdmin):
    list_display = ["workspace", "plan"]
    list_filter = ["plan"]
    list_select_related = ["workspace", "plan"]
    search_fields = ["workspace__name", "workspace__memberships__user__email"]
    autocomplete_fields = ["workspace"]


class CountAdmin(admin.ModelAdmin):
    """Nobody edits what was counted."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(UsageBatch)
class UsageBatchAdmin(CountAdmin):
    list_display = ["process", "sequence", "sealed_at", "folded_at"]
    list_filter = ["folded_at", "sealed_at"]
    search_fields = ["process"]


@admin.register(UsageCount)
class UsageCountAdmin(CountAdmin):
    list_display = ["project_id", "workspace_id", "minute", "requests"]
    search_fields = ["project_id", "=workspace_id"]


@admin.register(UsageHour)
class UsageHourAdmin(CountAdmin):
    list_display = ["project_id", "workspace_id", "hour", "requests"]
    list_filter = ["hour"]
    search_fields = ["project_id", "=workspace_id"]


@admin.register(UsageMonth)
class UsageMonthAdmin(CountAdmin):
    list_display = ["project_id", "workspace_id", "month", "requests"]
    list_filter = ["month"]
    search_fields = ["project_id", "=workspace_id"]


@admin.register(UsageNotice)
class UsageNoticeAdmin(CountAdmin):
    list_display = ["workspace_id", "month", "percent"]
    list_filter = ["month", "percent"]
    search_fields = ["=workspace_id"]


@admin.register(UsageSpike)
class UsageSpikeAdmin(CountAdmin):
    list_display = ["workspace_id", "hour"]
    list_filter = ["hour"]
    search_fields = ["=workspace_id"]
