"""What the relay goes by while its database cannot be asked, and for how long."""

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import OperationalError

from accounts.alphabet import random_text
from projects.changes import Change
from projects.models import Kind, Project
from relay import directory as module
from relay.core.errors import Refused
from relay.core.hub import Hub
from relay.core.tenant import Tenant
from relay.directory import CURRENT, REFUSED, REMEMBERED, REMEMBERED_FOR, Claim, Directory

pytestmark = pytest.mark.usefixtures("transactional_db")  # its threads see what tests write


class Away:
    """Says of the functions by which the directory asks whether they work."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now: set[str] = set()
        for name in ("find", "changes_since", "settings_and_quotas"):
            monkeypatch.setattr(module, name, self.guarded(name, getattr(module, name)))

    def guarded(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def ask(*arguments: Any) -> Any:
            if name in self.now:
                raise OperationalError("the connection is closed")
            return function(*arguments)

        return ask


@pytest.fixture
def away(monkeypatch: pytest.MonkeyPatch) -> Away:
    return Away(monkeypatch)


@pytest.fixture
def directory() -> Iterator[Directory]:
    directory = Directory(unknown_rate=10)
    yield directory
    directory.shutdown()


@pytest.fixture
def claim(project: Project) -> Claim:
    """Alice's public key."""
    return Claim(project.live_keys(Kind.PUBLIC).get().text, "", "", None, project.id)


@pytest.fixture
def hub(tenant: Tenant) -> Hub:
    """Something of Alice's project is there."""
    return tenant.hub


async def lose(directory: Directory, hub: Hub, away: Away) -> None:
    """What is known is old, and the database does not answer."""
    away.now = {"find", "changes_since"}
    for entry in directory.entries.values():
        entry.until = 0.0
    await directory.poll(hub)


async def assert_refused(directory: Directory, claim: Claim) -> None:
    with pytest.raises(Refused) as refusal:
        await directory.identify(claim, "127.0.0.1")
    assert refusal.value.code == "relay_unavailable"


async def test_a_key_found_before_is_let_in_for_an_hour_and_no_longer(
    directory: Directory, hub: Hub, claim: Claim, away: Away, caplog: pytest.LogCaptureFixture
) -> None:
    await directory.poll(hub)
    admission = await directory.identify(claim, "127.0.0.1")
    await lose(directory, hub, away)
    assert directory.keys == REMEMBERED
    assert (await directory.identify(claim, "127.0.0.1")).key_id == admission.key_id
    assert directory.heard_at is not None
    directory.heard_at -= REMEMBERED_FOR
    await assert_refused(directory, claim)
    await directory.poll(hub)
    assert directory.keys == REFUSED
    away.now = set()
    await directory.poll(hub)
    assert directory.keys == CURRENT
    assert (await directory.identify(claim, "127.0.0.1")).key_id == admission.key_id
    said = [message.split(":")[0] for message in caplog.messages if message.startswith("The database")]
    assert said == ["The database is away", "The database is away", "The database is back"]


async def test_before_the_first_poll_nothing_is_remembered(
    directory: Directory, hub: Hub, claim: Claim, away: Away
) -> None:
    await directory.identify(claim, "127.0.0.1")
    await lose(directory, hub, away)
    await assert_refused(directory, claim)


async def find_and_change(directory: Directory, hub: Hub, claim: Claim, project: Project) -> None:
    """Find the project's key, and then let its calls be held for 7 s instead of 5."""
    await directory.poll(hub)
    await directory.identify(claim, "127.0.0.1")
    project.hold_seconds = 7
    await asyncio.to_thread(project.save)


async def test_a_change_that_was_heard_ends_what_is_remembered_and_is_handled_later(
    directory: Directory, hub: Hub, claim: Claim, project: Project, away: Away
) -> None:
    """The database goes away between the change and what it says of the project."""
    await find_and_change(directory, hub, claim, project)
    away.now = {"find", "settings_and_quotas"}
    await directory.poll(hub)
    await assert_refused(directory, claim)
    assert hub.tenants[project.id].hold == 5
    away.now = set()
    await directory.poll(hub)
    assert hub.tenants[project.id].hold == 7
    await directory.identify(claim, "127.0.0.1")


async def test_a_change_that_was_handled_is_remembered_too(
    directory: Directory, hub: Hub, claim: Claim, project: Project, away: Away
) -> None:
    await find_and_change(directory, hub, claim, project)
    await directory.poll(hub)
    await lose(directory, hub, away)
    assert (await directory.identify(claim, "127.0.0.1")).hold == 7


async def test_a_revocation_that_was_handled_stays(
    directory: Directory, hub: Hub, claim: Claim, project: Project, away: Away
) -> None:
    await directory.poll(hub)
    await directory.identify(claim, "127.0.0.1")
    await asyncio.to_thread(lambda: project.live_keys(Kind.PUBLIC).get().revoke())
    await directory.poll(hub)
    await lose(directory, hub, away)
    await assert_refused(directory, claim)


async def test_after_more_than_an_hour_everything_may_have_changed(
    directory: Directory, hub: Hub, claim: Claim, project: Project
) -> None:
    """Rows of changes are kept for an hour."""
    await directory.poll(hub)
    await directory.identify(claim, "127.0.0.1")
    await asyncio.to_thread(Project.objects.filter(pk=project.pk).delete)
    await asyncio.to_thread(Change.objects.all().delete)
    assert directory.heard_at is not None
    directory.heard_at -= REMEMBERED_FOR
    await directory.poll(hub)
    with pytest.raises(Refused) as refusal:
        await directory.identify(claim, "127.0.0.1")
    assert refusal.value.code == "unauthorized"


async def test_a_look_up_that_nobody_waits_for_is_remembered(
    directory: Directory, claim: Claim, monkeypatch: pytest.MonkeyPatch
) -> None:
    began = asyncio.Event()
    goes_on = asyncio.Event()
    find = directory.readers.run

    async def slowly(function: Callable[[], Any]) -> Any:
        began.set()
        await goes_on.wait()
        return await find(function)

    monkeypatch.setattr(directory.readers, "run", slowly)
    gone = asyncio.create_task(directory.identify(claim, "127.0.0.1"))
    await began.wait()
    gone.cancel()
    goes_on.set()
    await asyncio.gather(*(pending.task for pending in directory.pending.values()))
    assert directory.known(claim) is not None
    assert directory.pending == {}


async def test_whoever_does_not_wait_for_the_answer_pays_for_the_look_up(
    directory: Directory, claim: Claim, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Made-up keys over HTTP, each with 1 ms of time, of a database that takes longer."""
    asked: list[str] = []

    def slow(key_digest: str, find: Callable[[str], Any] = module.find) -> Any:
        asked.append(key_digest)
        time.sleep(0.01)
        return find(key_digest)

    monkeypatch.setattr(module, "find", slow)
    codes = []
    for _ in range(100):
        made_up = Claim(f"gluer_pub_{project.id}_{random_text()}", "", "", None, None)
        with pytest.raises(Refused) as refusal:
            await directory.identify(made_up, "127.0.0.1", within=0.001)
        codes.append(refusal.value.code)
    assert set(codes) == {"relay_unavailable", "rate_limited"}
    assert len(asked) + len(directory.pending) < 50  # 10 a second, 20 at once
    assert (await directory.identify(claim, "127.0.0.2")).project_id == project.id
