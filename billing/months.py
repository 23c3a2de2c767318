"""Calendar months in UTC: what a plan's limit is counted by."""

from dataclasses import dataclass
from datetime import UTC, date, datetime


@dataclass(frozen=True, slots=True)
class Month:
    first_day: date
    start: datetime  # aware, UTC
    end: datetime  # the next month's start


def month_of(moment: datetime) -> Month:
    """The month that holds `moment` (aware, any zone)."""
    utc = moment.astimezone(UTC)
    start = datetime(utc.year, utc.month, 1, tzinfo=UTC)
    end = datetime(utc.year + utc.month // 12, utc.month % 12 + 1, 1, tzinfo=UTC)
    return Month(start.date(), start, end)
