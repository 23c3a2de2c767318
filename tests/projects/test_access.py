from datetime import UTC, datetime, timedelta

from django.utils import timezone

from accounts.models import User
from projects import access
from projects.credentials import digest
from projects.models import Key, Project


def private_key(project: Project) -> Key:
    return project.keys.get(kind="private")


def test_a_key_is_found_by_its_digest(project: Project) -> None:
    key = private_key(project)
    assert access.find_key(digest(key.text)) == access.KeyGrant(key.pk, "private", project.id)


def test_an_unknown_key_is_not_found(project: Project) -> None:
    assert access.find_key(digest("gluer_prv_nonsense")) is None


def test_a_revoked_key_is_not_found_and_not_active(project: Project) -> None:
    key = private_key(project)
    key.revoke()
    assert access.find_key(digest(key.text)) is None
    assert key.pk not in access.project_settings([project.id])[project.id].active_keys


def test_settings_say_all_a_relay_must_know(project: Project, charlie: User) -> None:
    settings = access.project_settings([project.id, "nosuchthing2"])
    assert settings == {
        project.id: access.ProjectSettings(
            id=project.id,
            workspace_id=project.workspace_id,
            require_password=False,
            password_digest=digest(project.password),
            allowed_origins=(),
            hold_seconds=5,
            session_rate=50,
            address_rate=200,
            active_keys=frozenset(project.keys.values_list("id", flat=True)),
        )
    }


def test_only_later_changes_are_told(project: Project) -> None:
    start = timezone.now()
    assert access.changes_since(start) == []
    project.save()
    [(_, changed)] = access.changes_since(start)
    assert changed == project.id


def test_touching_keys_is_no_change(project: Project) -> None:
    key, now = private_key(project), datetime(2026, 11, 20, 12, tzinfo=UTC)
    start = timezone.now()
    access.touch_keys({key.pk: now, key.pk + 1000: now})
    key.refresh_from_db()
    assert key.last_used_at == now
    assert access.changes_since(start - timedelta(0)) == []
