"""What a workspace may still use this month; shared by the tenants of all its projects in this process."""

from datetime import UTC, datetime

from relay.core.errors import Refused


class Quota:
    """`limit`, `recorded` and (from this process) `unrecorded` requests of the month until `resets_at`, epoch s."""

    __slots__ = ("limit", "recorded", "resets_at", "unrecorded", "workspace_id")

    def __init__(self, workspace_id: int, limit: int, recorded: int, resets_at: float) -> None:
        self.workspace_id = workspace_id
        self.unrecorded = 0
        self.refresh(limit, recorded, resets_at)

    def refresh(self, limit: int, recorded: int, resets_at: float) -> None:
        """What the database says now."""
        self.limit, self.recorded, self.resets_at = limit, recorded, resets_at

    @property
    def used(self) -> int:
        return self.recorded + self.unrecorded

    def refusal(self, wall: float) -> Refused:
        """`quota_exceeded` with limit, use and reset time; `wall` is the time of day (epoch s)."""
        resets_at = datetime.fromtimestamp(self.resets_at, UTC).isoformat().replace("+00:00", "Z")
        return Refused(
            "quota_exceeded",
            f"The plan's {self.limit:,} requests of this month are used up; the next month begins at {resets_at}.",
            retry_after=max(1, round((self.resets_at - wall) * 1000)),
            data={"limit": self.limit, "used": self.used, "resets_at": resets_at},
        )
