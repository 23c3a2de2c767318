"""What Celery does with counts. Every task may be killed, run twice or at the same time."""

from datetime import timedelta

from celery import shared_task
from django.utils import timezone

from billing.models import UsageBatch, UsageHour, UsageSpike
from billing.notices import send_notices
from billing.spikes import send_spikes
from billing.usage import FOLDED_AT_ONCE, ROWS_AT_ONCE, fold

MOST_ROUNDS = 20  # folds of one task; the next one comes in 5 s
BATCHES_KEPT = timedelta(days=1)  # after folding: a relay that repeats a batch does so within seconds
HOURS_KEPT = timedelta(days=400)
MOST_PRUNED = 50_000  # rows of one task; the next one comes in an hour


@shared_task  # type: ignore[untyped-decorator]
def fold_usage() -> None:
    """Add what relays have sealed into hours and months."""
    for _ in range(MOST_ROUNDS):
        if fold(timezone.now()) < FOLDED_AT_ONCE:
            return


@shared_task  # type: ignore[untyped-decorator]
def send_usage_mails() -> None:
    """Tell owners and admins at 80 % and 100 % of the month's requests."""
    send_notices(timezone.now())


@shared_task  # type: ignore[untyped-decorator]
def send_spike_mails() -> None:
    """Tell owners and admins of an hour that used more than a tenth of the month's requests."""
    send_spikes(timezone.now())


@shared_task  # type: ignore[untyped-decorator]
def prune_batches() -> None:
    """Forget folded batches, and hours older than a year and a month."""
    now = timezone.now()
    for _ in range(MOST_PRUNED // ROWS_AT_ONCE):
        old = UsageBatch.objects.filter(folded_at__lt=now - BATCHES_KEPT).values_list("pk", flat=True)[:ROWS_AT_ONCE]
        if not UsageBatch.objects.filter(pk__in=list(old)).delete()[0]:
            break
    for model in (UsageHour, UsageSpike):
        model.objects.filter(hour__lt=now - HOURS_KEPT).delete()
