"""Plans and requests for the pages of the apps below."""

from collections.abc import Iterable

from django import template
from django.utils import timezone

from billing.models import FREE, Plan
from billing.usage import Quota, project_usage, workspace_projects_usage, workspace_usage

register = template.Library()


@register.simple_tag
def workspace_quota(workspace_id: int) -> Quota:
    """This month's requests and limit."""
    return workspace_usage(workspace_id, timezone.now())


@register.simple_tag
def plan_name(workspace_id: int) -> str:
    own = Plan.objects.filter(workspace_plans__workspace_id=workspace_id).first()
    plan = own or Plan.objects.filter(slug=FREE).first()
    return plan.name if plan else "Free"


@register.simple_tag
def project_requests(project_id: str) -> int:
    """This month's."""
    return project_usage(project_id, timezone.now())


@register.simple_tag
def workspace_requests(workspace_id: int) -> dict[str, int]:
    """This month's by project, deleted ones too."""
    return workspace_projects_usage(workspace_id, timezone.now())


@register.filter
def of_project(requests: dict[str, int], project_id: str) -> int:
    return requests.get(project_id, 0)


@register.filter
def of_deleted(requests: dict[str, int], project_ids: Iterable[str]) -> int:
    """Those of all other projects than these, which are all that there are."""
    return sum(requests.values()) - sum(requests.get(project_id, 0) for project_id in project_ids)
