"""Mails when a workspace comes near its limit: each step once a month."""

import logging
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.mail import send_mail
from django.template.loader import render_to_string

from accounts.models import User, Workspace
from accounts.permissions import MANAGERS
from billing.models import UsageCount, UsageMonth, UsageNotice
from billing.months import Month, month_of
from billing.usage import Quota, quotas

log = logging.getLogger(__name__)

STEPS = (100, 80)  # percent; the highest that is reached is told


def send_notices(now: datetime) -> None:
    month = month_of(now)
    for workspace_id, quota in quotas(active_workspaces(month), now).items():
        reached = [step for step in STEPS if quota.percent >= step]
        if reached and claim(workspace_id, month, reached):
            try_to_tell(workspace_id, quota, month, reached[0])


def active_workspaces(month: Month) -> set[int]:
    """Those with requests this month."""
    folded = UsageMonth.objects.filter(month=month.first_day).values_list("workspace_id", flat=True).distinct()
    waiting = UsageCount.objects.filter(minute__gte=month.start, minute__lt=month.end)
    return {*folded, *waiting.values_list("workspace_id", flat=True).distinct()}


def claim(workspace_id: int, month: Month, reached: list[int]) -> bool:
    """Note the steps; True to the one worker that noted the highest. Noted before the mail goes out, and in a
    transaction of its own: a slow mail server must not hold the database, and no mail is better than one every 30 s."""
    _, new = UsageNotice.objects.get_or_create(workspace_id=workspace_id, month=month.first_day, percent=reached[0])
    for step in reached[1:]:
        UsageNotice.objects.get_or_create(workspace_id=workspace_id, month=month.first_day, percent=step)
    return new


def try_to_tell(workspace_id: int, quota: Quota, month: Month, step: int) -> None:
    """Tell; if that fails the step is open again, and the other workspaces get their mails all the same."""
    try:
        workspace = Workspace.objects.get(pk=workspace_id)
        what = f"has used {step} % of this month’s requests"
        mail_managers(workspace, what, "billing/usage_mail.txt", {"quota": quota, "step": step})
    except Exception:
        log.exception("The usage mail of workspace %s failed; it is tried again.", workspace_id)
        UsageNotice.objects.filter(workspace_id=workspace_id, month=month.first_day, percent=step).delete()


def mail_managers(workspace: Workspace, what: str, template: str, context: dict[str, Any]) -> None:
    """Mail the owners and admins. `what` the workspace has done stands in the subject, behind its name."""
    subject = " ".join(f"[Gluer] {workspace.name} {what}".split())
    body = render_to_string(template, {**context, "workspace": workspace, "site_url": settings.SITE_URL})
    for address in addresses(workspace):
        send_mail(subject, body, None, [address])


def addresses(workspace: Workspace) -> Iterable[str]:
    people = User.objects.filter(memberships__workspace=workspace, memberships__role__in=MANAGERS, is_active=True)
    return people.order_by("pk").values_list("email", flat=True)
