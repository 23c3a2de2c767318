from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from billing.months import month_of

PLUS_TWO = timezone(timedelta(hours=2))


@pytest.mark.parametrize(
    ("moment", "first_day", "end"),
    [
        (datetime(2026, 11, 1, tzinfo=UTC), date(2026, 11, 1), datetime(2026, 12, 1, tzinfo=UTC)),
        (datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC), date(2026, 12, 1), datetime(2027, 1, 1, tzinfo=UTC)),
        (datetime(2027, 1, 1, 1, tzinfo=PLUS_TWO), date(2026, 12, 1), datetime(2027, 1, 1, tzinfo=UTC)),
    ],
)  # fmt: skip
def test_a_month_is_counted_in_utc(moment: datetime, first_day: date, end: datetime) -> None:
    month = month_of(moment)
    assert (month.first_day, month.end) == (first_day, end)
    assert month.start <= moment < month.end
