"""The mesh's way through Redis: channels-redis' pub/sub layer, with two groups per process: all, and itself.

The layer queues without bound, waits without bound, drops what it cannot send and says nothing when it was away. So the
mesh's own bounded streams feed it one publish at a time, each wait ends after a second, and whether Redis is there is
judged by our own beats coming back.
"""

import asyncio
import logging
import uuid
from time import monotonic, time
from typing import Any

from relay.backplane.mesh import Mesh
from relay.backplane.seal import Seal
from relay.core.hub import Hub

GROUP = "relays"
REDIS_WITHIN = 1.0  # s that anything may wait for Redis
ANEW_AFTER = 2.0  # s cut off, after which the connections are made anew: a cut network does not say so
log = logging.getLogger(__name__)


class Backplane:
    """One per process. `layer`: a channels_redis.pubsub.RedisPubSubChannelLayer."""

    def __init__(self, hub: Hub, layer: Any, seal: Seal) -> None:
        self.layer, self.seal = layer, seal
        self.woken = asyncio.Event()
        self.mesh = Mesh(hub, uuid.uuid4().hex, monotonic(), self.woken.set)
        hub.others = self.mesh
        self.away = True  # as the log knows it
        self.joined = asyncio.Event()  # it has been connected to the others
        self.complained = False  # that this has not come about
        self.made = monotonic()  # when the connections were
        self.receiving: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Send and receive, as long as the task lives."""
        try:
            while True:
                await self._connect()
                await self._send_until_anew()
        finally:
            self._stop_receiving()

    async def leave(self) -> None:
        """Tell the others that this process ends."""
        self.mesh.leave()
        await self._send_waiting()

    def tick(self, now: float) -> None:
        """Drive the mesh's clock."""
        self.mesh.tick(now)
        if self.mesh.connected is self.away:
            self.away = not self.mesh.connected
            if self.away:
                log.warning("Redis is away: calls to other processes end with relay_unavailable until it is back")
            else:
                self.joined.set()
                log.warning("Redis is there: this process is connected to the others")

    async def _connect(self) -> None:
        """Subscribe, with new connections."""
        self.made = monotonic()
        try:
            async with asyncio.timeout(REDIS_WITHIN):
                await self.layer.flush()
                self._stop_receiving()
                channel = await self.layer.new_channel()
                await self.layer.group_add(GROUP, channel)
                await self.layer.group_add(self.mesh.id, channel)
                self.receiving = asyncio.create_task(self._receive(channel))
        except Exception as error:
            log.debug("Subscribing failed: %s", error)
            self._complain(error)

    async def _send_until_anew(self) -> None:
        while self.mesh.connected or monotonic() - max(self.made, self.mesh.echoed) < ANEW_AFTER:
            await self.woken.wait()  # at the latest, a beat is to be sent
            self.woken.clear()
            await self._send_waiting()

    async def _send_waiting(self) -> None:
        """What the mesh has to say, one batch after the other; what cannot be said, it is told."""
        while (batch := self.mesh.take()) is not None:
            destination, payload = batch
            message = {"type": "relay", "batch": self.seal.close(payload, time())}
            try:
                async with asyncio.timeout(REDIS_WITHIN):
                    await self.layer.group_send(destination or GROUP, message)
            except Exception as error:
                log.debug("Sending failed: %s", error)
                self._complain(error)
                self.mesh.cut_off(monotonic())
                return

    def _complain(self, error: Exception) -> None:
        """Say once why a process that starts does not reach Redis; later `tick` says whether it is there."""
        if not self.complained and not self.joined.is_set():
            self.complained = True
            reason = str(error) or type(error).__name__
            log.warning("Redis cannot be used (%s): this process is alone until it can. Check REDIS_URL", reason)

    async def _receive(self, channel: str) -> None:
        while True:
            try:
                sealed = (await self.layer.receive(channel))["batch"]
            except Exception:  # whatever somebody else may have published
                sealed = None
            batch = self.seal.open(sealed, time())
            if batch is None:
                continue
            try:
                self.mesh.receive(batch, monotonic())
            except Exception:
                log.exception("A batch of another process could not be handled")

    def _stop_receiving(self) -> None:
        if self.receiving is not None:
            self.receiving.cancel()
            self.receiving = None
