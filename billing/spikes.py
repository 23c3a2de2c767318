"""Mails about an hour that used more than a tenth of the month's requests, once an hour and a few a day."""

import logging
from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta

from accounts.models import Workspace
from billing.models import UsageCount, UsageHour, UsageSpike
from billing.notices import mail_managers
from billing.usage import Quota, quotas
from projects.models import Project

PART = 10  # an hour that used more than the tenth part of the month is told of
MOST_A_DAY = 3  # mails to one workspace in 24 hours
MOST_NAMED = 5  # projects in one mail
HOUR, DAY = timedelta(hours=1), timedelta(days=1)

log = logging.getLogger(__name__)


def send_spikes(now: datetime) -> None:
    """Tell of this hour and of the one before, whose last requests may have been counted after its end."""
    this_hour = now.replace(minute=0, second=0, microsecond=0)
    for hour in (this_hour - HOUR, this_hour):
        uses = uses_in(hour)
        for workspace_id, quota in quotas(uses, now).items():
            use = uses[workspace_id]
            if use.total() * PART > quota.limit and claim(workspace_id, hour):
                try_to_tell(workspace_id, hour, use, quota)


def uses_in(hour: datetime) -> Mapping[int, Counter[str]]:
    """Requests in this hour, by workspace and project: folded and not yet folded, by one statement."""
    columns = ("workspace_id", "project_id", "requests")
    folded = UsageHour.objects.filter(hour=hour).values_list(*columns)
    waiting = UsageCount.objects.filter(minute__gte=hour, minute__lt=hour + HOUR).values_list(*columns)
    uses: dict[int, Counter[str]] = {}
    for workspace_id, project_id, requests in folded.union(waiting, all=True):
        uses.setdefault(workspace_id, Counter())[project_id] += requests
    return uses


def claim(workspace_id: int, hour: datetime) -> bool:
    """Note the hour; True to the one worker that noted it, unless the day has had its mails. Noted before the mail goes
    out, and in a transaction of its own, as in notices.py."""
    if UsageSpike.objects.filter(workspace_id=workspace_id, hour__gt=hour - DAY, hour__lt=hour).count() >= MOST_A_DAY:
        return False
    return UsageSpike.objects.get_or_create(workspace_id=workspace_id, hour=hour)[1]


def try_to_tell(workspace_id: int, hour: datetime, use: Counter[str], quota: Quota) -> None:
    """Mail the owners and admins; if that fails the hour is open again, and the other workspaces get their mails."""
    try:
        tell(Workspace.objects.get(pk=workspace_id), hour, use, quota)
    except Exception:
        log.exception("The mail about an hour of workspace %s failed; it is tried again.", workspace_id)
        UsageSpike.objects.filter(workspace_id=workspace_id, hour=hour).delete()


def tell(workspace: Workspace, hour: datetime, use: Counter[str], quota: Quota) -> None:
    """Mail what the hour used, by which projects, and what can be done."""
    projects = Project.objects.in_bulk([project_id for project_id, _ in use.most_common(MOST_NAMED)])
    named = [(projects.get(project_id), requests) for project_id, requests in use.most_common(MOST_NAMED)]
    context = {
        "hour": hour,
        "end": hour + HOUR,
        "requests": use.total(),
        "percent": use.total() * 100 // max(1, quota.limit),
        "quota": quota,
        "named": named,
        "others": len(use) - len(named),
    }
    what = "has used more than a tenth of a month’s requests in one hour"
    mail_managers(workspace, what, "billing/spike_mail.txt", context)
