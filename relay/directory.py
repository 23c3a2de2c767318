"""Key → project, cached: the relay's only look into the database.

Rule 1  A key found is good for KEPT seconds, an unknown one unknown for UNKNOWN_KEPT; a Change row ends that at once.
Rule 2  Changes are polled for; what was committed out of order is caught by re-reading the last LOOK_BACK seconds.
Rule 3  A look-up that a change overtook is made again: nobody enters on what was true before (Directory.identify).
Rule 4  A key that was found before is looked up whenever that is due; others as often as strangers.py lets them.
"""

import asyncio
import hmac
import logging
import secrets
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from billing.usage import Quota, quotas
from projects.access import KeyGrant, ProjectSettings, changes_since, find_key, project_settings, touch_keys
from projects.credentials import digest, parse_key
from relay.core.connection import BACKEND, FRONTEND, Connection
from relay.core.errors import Closing, Refused
from relay.core.hub import Admission, Hub
from relay.database import DatabaseThreads
from relay.strangers import Strangers

KEPT = 30.0  # s; only a backstop, changes are noticed within a second
UNKNOWN_KEPT = 10.0  # s
MOST_KEPT = 10_000  # keys found, and as many unknown ones; the oldest go first
MOST_PENDING = 1_000  # look-ups at once; more are told to come back
LOOK_BACK = timedelta(seconds=30)  # a transaction that took longer than this between its write and its commit is lost
CLOSED_AT_ONCE = 500  # connections rechecked in one turn of the loop
PEERS = {"public": FRONTEND, "private": BACKEND}
WRONG_KEY = "This key is not known here. Copy the key again from the project's page."

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Claim:
    """What a peer shows of itself. `project_id`: what the path says, None over HTTP; `origin`: None if no browser."""

    key: str
    password: str
    session: str
    origin: str | None
    project_id: str | None


@dataclass(frozen=True, slots=True)
class Found:
    """What the database says of a key."""

    grant: KeyGrant
    settings: ProjectSettings
    quota: Quota


@dataclass(slots=True)
class Entry:
    """A cached answer; `found` is None for an unknown key. After `until` it is only known that it was so."""

    project_id: str
    found: Found | None
    until: float


@dataclass(slots=True)
class Pending:
    """A look-up under way; several hellos with one key wait for the same."""

    project_id: str
    task: asyncio.Task[Found | None]
    stale: bool = False


class Directory:
    """The cache, and the look-ups under way."""

    def __init__(self, database: DatabaseThreads, unknown_rate: int) -> None:
        """`unknown_rate`: unknown keys a second that are looked up for one address."""
        self.database = database
        self.strangers = Strangers(unknown_rate, MOST_PENDING)
        self.entries: dict[str, Entry] = {}  # keys found, by digest, oldest first
        self.unknown: dict[str, Entry] = {}  # the others: no flood of them drives a good key out
        self.pending: dict[str, Pending] = {}
        self.seen: set[int] = set()  # ids of the changes handled, of the last LOOK_BACK
        self.used: dict[int, datetime] = {}  # key ids, to be written by `write_used`

    # --- who is it ---------------------------------------------------------------------------------------------------

    def known(self, claim: Claim) -> Admission | None:
        """The admission, if the key is cached; None if it must be looked up. Raises Refused."""
        entry = self._entry(self._digest(claim))
        return None if entry is None else self._admit(claim, entry.found)

    def _entry(self, key_digest: str) -> Entry | None:
        """What is cached and still good."""
        entry = self.entries.get(key_digest) or self.unknown.get(key_digest)
        return None if entry is None or entry.until < time.monotonic() else entry

    async def identify(self, claim: Claim, ip: str) -> Admission:
        """Who shows this claim. `ip`: the address by which its limits are kept.

        Raises Refused: `unauthorized`, `forbidden`, `bad_frame`, `rate_limited` or `relay_unavailable`.
        """
        admission = self.known(claim)
        if admission is not None:
            return admission
        key_digest = self._digest(claim)
        if key_digest in self.entries or key_digest in self.pending:
            return self._admit(claim, await self._look_up(claim))
        return self._admit(claim, await self.strangers.ask(ip, claim.origin, lambda: self._look_up(claim)))

    async def _look_up(self, claim: Claim) -> Found | None:
        key_digest = self._digest(claim)
        if (entry := self._entry(key_digest)) is not None:  # told while this one waited for its turn
            return entry.found
        for _ in range(3):  # a key that changes faster than it can be read has somebody's attention
            pending = self.pending.get(key_digest)
            if pending is None:
                pending = self._begin(key_digest, claim)
            try:
                found = await asyncio.shield(pending.task)
            except Exception as error:
                log.warning("A key could not be looked up: %s", error)
                raise Refused("relay_unavailable", "The key cannot be checked now; try again.") from None
            finally:
                if self.pending.get(key_digest) is pending and pending.task.done():
                    del self.pending[key_digest]
            if not pending.stale:
                self._remember(key_digest, pending.project_id, found)
                return found
        raise Refused("relay_unavailable", "The project is being changed; try again.")

    def _begin(self, key_digest: str, claim: Claim) -> Pending:
        if len(self.pending) >= MOST_PENDING:
            raise Refused("relay_unavailable", "Too many keys are being checked; try again.", retry_after=1_000)
        key = parse_key(claim.key)
        assert key is not None
        work = self.database.run(lambda: find(key_digest))
        pending = Pending(key.project_id, asyncio.ensure_future(work))
        self.pending[key_digest] = pending
        return pending

    def _digest(self, claim: Claim) -> str:
        key = parse_key(claim.key)
        if key is None or claim.project_id not in (None, key.project_id):
            raise Refused("unauthorized", WRONG_KEY)
        return digest(claim.key)

    def _remember(self, key_digest: str, project_id: str, found: Found | None) -> None:
        self.entries.pop(key_digest, None)
        self.unknown.pop(key_digest, None)
        entries, kept = (self.unknown, UNKNOWN_KEPT) if found is None else (self.entries, KEPT)
        if len(entries) >= MOST_KEPT:
            del entries[next(iter(entries))]
        entries[key_digest] = Entry(project_id, found, time.monotonic() + kept)

    def _admit(self, claim: Claim, found: Found | None) -> Admission:
        if found is None:
            raise Refused("unauthorized", WRONG_KEY)
        peer, settings, quota = PEERS[found.grant.kind], found.settings, found.quota
        password_digest = digest(claim.password) if claim.password else None
        for refused in (
            origin_refused(peer, claim.origin, settings),
            password_refused(peer, password_digest, settings),
        ):
            if refused is not None:
                raise refused
        self.used[found.grant.key_id] = datetime.now(UTC)
        return Admission(
            key_id=found.grant.key_id,
            peer=peer,
            project_id=settings.id,
            workspace_id=settings.workspace_id,
            quota=(quota.limit, quota.used, quota.resets_at.timestamp()),
            connection_id=secrets.token_urlsafe(12),
            session=claim.session or secrets.token_urlsafe(16),
            password_digest=password_digest,
            hold=float(settings.hold_seconds),
            session_rate=settings.session_rate,
            address_rate=settings.address_rate,
            named=bool(claim.session),
        )

    # --- what has changed --------------------------------------------------------------------------------------------

    async def poll(self, hub: Hub) -> None:
        """Let changes committed since the last poll reach the cache and the open sockets."""
        rows = await self.database.run(lambda: changes_since(datetime.now(UTC) - LOOK_BACK))
        changed = {project_id for change_id, project_id in rows if change_id not in self.seen}
        self.seen = {change_id for change_id, _ in rows}
        if changed:
            self.forget(changed)
            await self._recheck(hub, changed & hub.tenants.keys())

    def forget(self, project_ids: set[str]) -> None:
        """Let all keys of these projects be looked up anew, and look-ups under way be made again."""
        for entry in (*self.entries.values(), *self.unknown.values()):
            if entry.project_id in project_ids:
                entry.until = 0.0
        for pending in self.pending.values():
            if pending.project_id in project_ids:
                pending.stale = True

    async def _recheck(self, hub: Hub, project_ids: set[str]) -> None:
        if not project_ids:
            return
        settings, quotas_now = await self.database.run(lambda: settings_and_quotas(project_ids))
        for workspace_id, quota in quotas_now.items():
            if workspace_id in hub.quotas:
                hub.quotas[workspace_id].refresh(quota.limit, quota.used, quota.resets_at.timestamp())
        for project_id in project_ids & hub.tenants.keys():
            tenant = hub.tenants[project_id]
            if project_id in settings:
                tenant.hold = float(settings[project_id].hold_seconds)
                tenant.limit_visitors(settings[project_id].session_rate, settings[project_id].address_rate)
            for number, connection in enumerate(tuple(tenant.connections), start=1):
                closing = recheck(connection, settings.get(project_id))
                if closing is not None:
                    hub.close(connection, closing, time.monotonic())
                if number % CLOSED_AT_ONCE == 0:
                    await asyncio.sleep(0)

    async def write_used(self) -> None:
        """Write down when keys were last used."""
        used, self.used = self.used, {}
        if used:
            await self.database.run(lambda: touch_keys(used))


def find(key_digest: str) -> Found | None:
    """What the database says of the key with this digest."""
    grant = find_key(key_digest)
    if grant is None:
        return None
    settings, quotas_now = settings_and_quotas({grant.project_id})
    if grant.project_id not in settings:
        return None
    found = settings[grant.project_id]
    return Found(grant, found, quotas_now[found.workspace_id])


def settings_and_quotas(project_ids: set[str]) -> tuple[dict[str, ProjectSettings], dict[int, Quota]]:
    """Settings by project, and quotas by workspace, of the projects that exist."""
    settings = project_settings(project_ids)
    return settings, quotas({project.workspace_id for project in settings.values()}, datetime.now(UTC))


def origin_refused(peer: str, origin: str | None, settings: ProjectSettings) -> Refused | None:
    """GP-4: no private key in a browser; a front end's origin is an allowed one."""
    if origin is None:
        return None
    if peer == BACKEND:
        return Refused(
            "forbidden",
            "A private key must never reach a browser, where everybody can read it. Use the public key here, "
            "and revoke this one if it was published.",
        )
    if settings.allowed_origins and origin not in settings.allowed_origins:
        return Refused("forbidden", f"The project does not allow pages of {origin[:100]}; see its allowed origins.")
    return None


def password_refused(peer: str, password_digest: str | None, settings: ProjectSettings) -> Refused | None:
    """The project may ask its back ends for the password as well."""
    if peer != BACKEND or not settings.require_password:
        return None
    if password_digest is None:
        return Refused("unauthorized", "This project asks its back ends for its password too; it is on its page.")
    if not hmac.compare_digest(password_digest, settings.password_digest):
        return Refused("unauthorized", "The project's password is wrong. Copy it again from the project's page.")
    return None


def recheck(connection: Connection, settings: ProjectSettings | None) -> Closing | None:
    """Why an open connection may not stay after a change; None when it may."""
    if settings is None:
        return Closing(4410, "The project was deleted.")
    if connection.key is None or connection.key.id not in settings.active_keys:
        return Closing(4410, "The key was revoked.")
    refused = origin_refused(connection.peer, connection.origin, settings)
    if refused is not None:
        return Closing(4403, refused.message)
    refused = password_refused(connection.peer, connection.password_digest, settings)
    return None if refused is None else Closing(4401, refused.message)
