"""The cast: Alice owns, Bob is a member, Charlie is a stranger with a project of the same name."""

from collections.abc import Iterator

import pytest
from allauth.account.models import EmailAddress
from django.apps import apps
from django.core.cache import cache
from pytest_django import Settings

from accounts.models import Membership, Role, User, Workspace
from projects.models import Project
from relay.core.connection import Connection
from relay.core.frames import FunctionSpec
from relay.core.quota import Quota
from relay.core.statistics import Statistics
from relay.core.tenant import Tenant

PASSWORD = "correct horse battery"
PROJECT = "Shop"


def person(name: str) -> User:
    user = User.objects.create_user(f"{name.lower()}@example.org", PASSWORD, name=name)
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    return user


@pytest.fixture(autouse=True)
def _fresh_cache() -> None:
    """Rate limits live in the cache: no test uses up another's."""
    cache.clear()


@pytest.fixture(autouse=True)
def _fast_passwords(settings: Settings) -> None:
    """Argon2 takes 0.1 s for each of the cast."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def alice(db: None) -> User:
    return person("Alice")


@pytest.fixture
def workspace(alice: User) -> Workspace:
    """Alice's."""
    return alice.workspaces.get()


@pytest.fixture
def bob(workspace: Workspace) -> User:
    user = person("Bob")
    Membership.objects.create(workspace=workspace, user=user, role=Role.MEMBER)
    return user


@pytest.fixture
def charlie(db: None) -> User:
    """A stranger to Alice, with a project of the same name."""
    user = person("Charlie")
    Project.make(user.workspaces.get(), PROJECT)
    return user


@pytest.fixture
def tenant(project: Project) -> Iterator[Tenant]:
    """What the relay of this process holds of Alice's project."""
    hub = apps.get_app_config("relay").relay.hub  # type: ignore[attr-defined]
    hub.tenants[project.id] = Tenant(project.id, Quota(project.workspace_id, 1_000, 0, 0.0), 5.0, hub)
    yield hub.tenants[project.id]
    del hub.tenants[project.id]


@pytest.fixture
def counted(tenant: Tenant) -> Statistics:
    """What the relay counts of Alice's project."""
    return tenant.statistics


@pytest.fixture
def two_minds(tenant: Tenant) -> None:
    """Two back ends of Alice's: the second registers `calculator:add` otherwise than the first."""
    for spec in (
        FunctionSpec(name="calculator:add"),
        FunctionSpec(name="calculator:add", idempotent=True, policy="random"),
    ):
        tenant.functions.register(back_end(tenant), [spec])


def back_end(tenant: Tenant) -> Connection:
    """One that is connected to nothing."""
    hub = tenant.hub
    return Connection(
        hub,
        lambda frame: None,
        lambda code, reason: None,
        address=hub.address("127.0.0.1"),
        ip="127.0.0.1",
        project_id=tenant.project_id,
        origin=None,
        transport="ws",
        connected_at="2026-11-21T00:00:00.000Z",
        limits=hub.limits,
        now=0.0,
    )


@pytest.fixture
def project(workspace: Workspace) -> Project:
    """Alice's."""
    return Project.make(workspace, PROJECT)
