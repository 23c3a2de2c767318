"""The relay's look into the database: who a key is, what a project asks for, and what has changed."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from projects.models import Change, Key, Project

ROWS_AT_ONCE = 500  # ids in one statement; SQLite takes 999 parameters at worst


@dataclass(frozen=True, slots=True)
class KeyGrant:
    """A key that holds, and what it opens."""

    key_id: int
    kind: str  # "public" or "private"
    project_id: str


@dataclass(frozen=True, slots=True)
class ProjectSettings:
    """All a relay must know of a project."""

    id: str
    workspace_id: int
    require_password: bool
    password_digest: str  # credentials.digest of the password, for a constant-time comparison
    allowed_origins: tuple[str, ...]  # empty: any
    hold_seconds: int  # that a call waits for a server to come back
    session_rate: int  # calls and sends a second of all front ends of one session
    address_rate: int  # and of all front ends of one address
    active_keys: frozenset[int]  # ids of the keys that are not revoked


def find_key(digest: str) -> KeyGrant | None:
    """The key with this digest (credentials.digest of its text), unless it is unknown or revoked."""
    key = Key.objects.filter(digest=digest, revoked_at=None).first()
    return KeyGrant(key.pk, key.kind, key.project_id) if key else None


def project_settings(ids: Iterable[str]) -> dict[str, ProjectSettings]:
    """The settings of those projects that exist, by id."""
    projects = Project.objects.in_bulk(list(ids), field_name="pk")
    live: dict[str, set[int]] = {id: set() for id in projects}
    for key_id, project_id in Key.objects.filter(project__in=projects, revoked_at=None).values_list("id", "project_id"):
        live.setdefault(project_id, set()).add(key_id)
    return {id: settings_of(project, live[id]) for id, project in projects.items()}


def settings_of(project: Project, live_keys: set[int]) -> ProjectSettings:
    return ProjectSettings(
        id=project.id,
        workspace_id=project.workspace_id,
        require_password=project.require_password,
        password_digest=project.password_digest,
        allowed_origins=tuple(project.allowed_origins),
        hold_seconds=project.hold_seconds,
        session_rate=project.session_rate,
        address_rate=project.address_rate,
        active_keys=frozenset(live_keys),
    )


def changes_since(moment: datetime) -> list[tuple[int, str]]:
    """(change id, project id) of every change written since `moment`, oldest first."""
    return list(Change.objects.filter(created_at__gte=moment).order_by("id").values_list("id", "project_id"))


def touch_keys(used: Mapping[int, datetime]) -> None:
    """Remember when keys (by id) were last used; keys that are gone are passed over."""
    keys = [Key(pk=key_id, last_used_at=moment) for key_id, moment in used.items()]
    Key.objects.bulk_update(keys, ["last_used_at"], batch_size=ROWS_AT_ONCE)
