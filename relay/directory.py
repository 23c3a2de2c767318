"""Key → project, cached: the relay's only look into the database.

Rule 1  A key found is good for KEPT seconds, an unknown one unknown for UNKNOWN_KEPT; a Change row ends that at once.
Rule 2  Changes are polled for; what was committed out of order is caught by re-reading LOOK_BACK before the last poll.
Rule 3  A look-up that a change overtook is made again: nobody enters on what was true before (Directory.identify).
Rule 4  A key that was found before is looked up whenever that is due; others as often as strangers.py lets them.
Rule 5  While the database cannot be asked, a key found stays good, until REMEMBERED_FOR seconds after the last poll,
        unless a change of its project was heard. The polls go on, and tell when the database is there again.
"""

import asyncio
import hmac
import logging
import secrets
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

from django.db import Error

from billing.usage import Quota, quotas
from projects.access import KeyGrant, ProjectSettings, changes_since, find_key, project_settings, touch_keys
from projects.credentials import digest, parse_key
from relay.core.connection import BACKEND, FRONTEND, Connection
from relay.core.errors import Closing, Refused
from relay.core.hub import Admission, Hub
from relay.database import DatabaseSilent, DatabaseThreads
from relay.strangers import Strangers

KEPT = 30.0  # s; only a backstop, changes are noticed within a second
UNKNOWN_KEPT = 10.0  # s
MOST_KEPT = 10_000  # keys found, and as many unknown ones; the oldest go first
MOST_PENDING = 1_000  # look-ups at once; more are not answered
LOOK_UP_THREADS = 4
LOOK_UP_WITHIN = 2.0  # s; a key that was found before is waited for half as long
REMEMBERED_FOR = 3_600.0  # s; Change rows are kept as long (projects/tasks.py)
LOOK_BACK = 30.0  # s; a transaction that took longer than this between its write and its commit is lost
CLOSED_AT_ONCE = 500  # connections rechecked in one turn of the loop
READ_AT_ONCE = 500  # projects rechecked by one piece of database work
PEERS = {"public": FRONTEND, "private": BACKEND}
WRONG_KEY = "This key is not known here. Copy the key again from the project's page."
CANNOT_CHECK = "The key cannot be checked now; try again."

CURRENT, REMEMBERED, REFUSED = "ok", "remembered", "refused"  # how keys are checked
SAID = {
    CURRENT: "The database is back: keys are looked up again",
    REMEMBERED: "The database is away: only keys that were found before are let in, for up to an hour",
    REFUSED: "The database is away: no key is let in until it is back",
}

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
    """A cached answer; `found` is None for an unknown key. After `until` it is only known that it was so.

    `changed`: a change of its project was heard since, so that it must not be used again.
    """

    project_id: str
    found: Found | None
    until: float
    changed: bool = False

    def renew(self, settings: dict[str, ProjectSettings], quotas_now: dict[int, Quota]) -> None:
        """Take what the database says of its project after a change; a key that was revoked stays changed."""
        project = settings.get(self.project_id) if self.changed else None
        if self.found is not None and project is not None and self.found.grant.key_id in project.active_keys:
            self.found = Found(self.found.grant, project, quotas_now[project.workspace_id])
            self.changed = False


@dataclass(slots=True)
class Pending:
    """A look-up under way; several hellos with one key wait for the same."""

    project_id: str
    task: asyncio.Task[Found | None]
    stale: bool = False


class Unanswered(Exception):
    """The database does not say whose a key is."""


class Directory:
    """The cache, and the look-ups under way."""

    def __init__(self, unknown_rate: int) -> None:
        """`unknown_rate`: unknown keys a second that are looked up for one address."""
        self.readers = DatabaseThreads(LOOK_UP_THREADS, "relay-directory", LOOK_UP_WITHIN)
        self.poller = DatabaseThreads(1, "relay-changes", LOOK_UP_WITHIN)  # waits for no look-up
        self.heard_at: float | None = None  # when the last poll began that succeeded
        self.keys = CURRENT  # how keys are checked since the last poll
        self.strangers = Strangers(unknown_rate, MOST_PENDING)
        self.entries: dict[str, Entry] = {}  # keys found, by digest, oldest first
        self.unknown: dict[str, Entry] = {}  # the others: no flood of them drives a good key out
        self.pending: dict[str, Pending] = {}
        self.seen: set[int] = set()  # ids of the changes handled that the next poll reads again
        self.used: dict[int, datetime] = {}  # key ids, to be written by `write_used`

    # --- who is it ---------------------------------------------------------------------------------------------------

    def known(self, claim: Claim) -> Admission | None:
        """The admission, if the key is cached; None if it must be looked up. Raises Refused."""
        entry = self._entry(self._digest(claim))
        return None if entry is None else self._admit(claim, entry.found)

    def _entry(self, key_digest: str) -> Entry | None:
        """What is cached and still good; while the database is away, what is remembered."""
        entry = self.entries.get(key_digest) or self.unknown.get(key_digest)
        if entry is None or entry.until < time.monotonic():
            return self._remembered(key_digest) if self.away else None
        return entry

    def _remembered(self, key_digest: str) -> Entry | None:
        """What is known of a key that was found before, and may be used if it cannot be looked up (rule 5)."""
        entry = self.entries.get(key_digest)
        return None if entry is None or entry.changed or not self.remembers else entry

    @property
    def away(self) -> bool:
        """Whether the database did not answer the last poll."""
        return self.keys != CURRENT

    @property
    def remembers(self) -> bool:
        """Whether the last successful poll is recent enough to go by what was found before it."""
        return self.heard_at is not None and time.monotonic() - self.heard_at < REMEMBERED_FOR

    async def identify(self, claim: Claim, ip: str, within: float = LOOK_UP_WITHIN) -> Admission:
        """Who shows this claim. `ip`: the address by which its limits are kept; `within`: s that a look-up may take.

        Raises Refused: `unauthorized`, `forbidden`, `bad_frame`, `rate_limited` or `relay_unavailable`.
        """
        admission = self.known(claim)
        if admission is not None:
            return admission
        key_digest = self._digest(claim)
        try:
            async with asyncio.timeout(within if self._remembered(key_digest) is None else within / 2):
                found = await self._find(claim, ip)
        except (TimeoutError, Unanswered):
            entry = self._remembered(key_digest)
            if entry is None:
                raise Refused("relay_unavailable", CANNOT_CHECK, retry_after=1_000) from None
            found = entry.found
        return self._admit(claim, found)

    async def _find(self, claim: Claim, ip: str) -> Found | None:
        """What the database says of the key. Raises Refused, or Unanswered."""
        if self.away:
            raise Unanswered
        key_digest = self._digest(claim)
        if key_digest in self.entries or key_digest in self.pending:
            return await self._look_up(claim)
        return await self.strangers.ask(ip, claim.origin, lambda: self._look_up(claim))

    async def _look_up(self, claim: Claim) -> Found | None:
        """What a look-up finds that several may wait for. Raises Refused, or Unanswered."""
        key_digest = self._digest(claim)
        if (entry := self._entry(key_digest)) is not None:  # told while this one waited for its turn
            return entry.found
        for _ in range(3):  # a key that changes faster than it can be read has somebody's attention
            pending = self.pending.get(key_digest) or self._begin(key_digest, claim)
            try:
                found = await asyncio.shield(pending.task)
            except Exception:
                raise Unanswered from None
            if not pending.stale:
                return found
        raise Refused("relay_unavailable", "The project is being changed; try again.")

    def _begin(self, key_digest: str, claim: Claim) -> Pending:
        if len(self.pending) >= MOST_PENDING:
            raise Unanswered
        key = parse_key(claim.key)
        assert key is not None
        work = self.readers.run(lambda: find(key_digest))
        pending = Pending(key.project_id, asyncio.ensure_future(work))
        self.pending[key_digest] = pending
        pending.task.add_done_callback(lambda task: self._end(key_digest, pending))
        return pending

    def _end(self, key_digest: str, pending: Pending) -> None:
        """Remember what a look-up found, before those hear of it who still wait for it."""
        del self.pending[key_digest]
        if pending.task.cancelled():
            return
        error = pending.task.exception()
        if error is not None:
            log.warning("A key could not be looked up: %s", error)
        elif not pending.stale:
            self._remember(key_digest, pending.project_id, pending.task.result())

    def _digest(self, claim: Claim) -> str:
        key = parse_key(claim.key)
        if key is None or claim.project_id not in (None, key.project_id):
            raise Refused("unauthorized", WRONG_KEY, about="key")
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
            raise Refused("unauthorized", WRONG_KEY, about="key")
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
        """Let changes committed since the last poll reach the cache and the open sockets.

        A poll that fails is the sign that the database is away; the next one that succeeds, that it is back.
        """
        try:
            await self._poll(hub)
            keys, problem = CURRENT, ""
        except (Error, DatabaseSilent) as error:
            keys, problem = REMEMBERED if self.remembers else REFUSED, f": {error}"
        if keys != self.keys:
            log.warning("%s%s", SAID[keys], problem)
        self.keys = keys

    async def _poll(self, hub: Hub) -> None:
        began = time.monotonic()
        missed = LOOK_BACK + (began - self.heard_at if self.heard_at is not None else 0.0)  # s
        since = datetime.now(UTC) - timedelta(seconds=missed)
        rows = await self.poller.run(lambda: changes_since(since))
        changed = {project_id for change_id, project_id in rows if change_id not in self.seen}
        if missed > REMEMBERED_FOR:  # rows of this time may be gone: anything may have changed
            changed |= hub.tenants.keys() | {entry.project_id for entry in self.entries.values()}
        if changed:
            self.forget(changed)
            found = {entry.project_id for entry in self.entries.values()}
            await self._recheck(hub, changed & (hub.tenants.keys() | found))
        self.seen = {change_id for change_id, _ in rows}  # now only: changes that could not be handled come again
        self.heard_at = began

    def forget(self, project_ids: set[str]) -> None:
        """Let all keys of these projects be looked up anew, and look-ups under way be made again."""
        for entry in (*self.entries.values(), *self.unknown.values()):
            if entry.project_id in project_ids:
                entry.until, entry.changed = 0.0, True
        for pending in self.pending.values():
            if pending.project_id in project_ids:
                pending.stale = True

    async def _recheck(self, hub: Hub, project_ids: set[str]) -> None:
        ids = list(project_ids)
        for start in range(0, len(ids), READ_AT_ONCE):
            await self._recheck_some(hub, set(ids[start : start + READ_AT_ONCE]))

    async def _recheck_some(self, hub: Hub, project_ids: set[str]) -> None:
        settings, quotas_now = await self.poller.run(lambda: settings_and_quotas(project_ids))
        for entry in self.entries.values():
            entry.renew(settings, quotas_now)
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

    async def write_used(self, writer: DatabaseThreads) -> None:
        """Write down when keys were last used."""
        used, self.used = self.used, {}
        if used:
            await writer.run(partial(touch_keys, used))

    def shutdown(self) -> None:
        self.readers.shutdown()
        self.poller.shutdown()


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
            about="private key in a browser",
        )
    if settings.allowed_origins and origin not in settings.allowed_origins:
        message = f"The project does not allow pages of {origin[:100]}; see its allowed origins."
        return Refused("forbidden", message, about=f"origin {origin}")
    return None


def password_refused(peer: str, password_digest: str | None, settings: ProjectSettings) -> Refused | None:
    """The project may ask its back ends for the password as well."""
    if peer != BACKEND or not settings.require_password:
        return None
    if password_digest is None:
        message = "This project asks its back ends for its password too; it is on its page."
        return Refused("unauthorized", message, about="password")
    if not hmac.compare_digest(password_digest, settings.password_digest):
        message = "The project's password is wrong. Copy it again from the project's page."
        return Refused("unauthorized", message, about="password")
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
