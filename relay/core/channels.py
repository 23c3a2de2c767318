"""Channels of one project: subscriptions and fan-out (section 4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from msgspec import UNSET

from relay.core import frames
from relay.core.errors import Refused
from relay.core.held import Held
from relay.core.reading import NAME_RULE, is_name

if TYPE_CHECKING:
    from relay.core.connection import Connection

RESERVED = "$gluer"
SUBSCRIPTION_COST: Final = 256  # bytes that a subscription takes besides its name


class Channels:
    """Who subscribes to what. A message starts after the previous one's fan-out has ended (GP-20)."""

    def __init__(self, most_per_connection: int, held: Held) -> None:
        self.by_name: dict[str, dict[Connection, None]] = {}
        self.most_per_connection = most_per_connection
        self.held = held  # bytes of all subscriptions
        self.epoch, self.offset = "", 0  # of the latest message that other processes were given, too (GP-23)

    def subscribe(self, connection: Connection, frame: frames.Subscribe) -> dict[str, Any]:
        """All or nothing; the answer's data by channel. Raises Refused."""
        for channel in frame.channels:
            check_name(channel)
        new = set(frame.channels) - connection.channels.keys()
        if len(connection.channels) + len(new) > self.most_per_connection:
            raise Refused("rate_limited", f"At most {self.most_per_connection} subscriptions per connection.")
        cost = sum(map(cost_of, new))
        if not self.held.fits(cost):
            raise Refused("rate_limited", "This project has too many subscriptions; unsubscribe from some.")
        self.held.add(cost)
        for channel in new:
            self.by_name.setdefault(channel, {})[connection] = None
            connection.channels[channel] = None
        since = {} if frame.since is UNSET else frame.since
        return {channel: {"recovered": False} if channel in since else {} for channel in frame.channels}

    def unsubscribe(self, connection: Connection, channels: list[str]) -> None:
        """Channels it had not subscribed to are passed over."""
        for channel in channels:
            if channel in connection.channels:
                del connection.channels[channel]
                self.held.add(-cost_of(channel))
                del self.by_name[channel][connection]
                if not self.by_name[channel]:
                    del self.by_name[channel]

    def publish(self, connection: Connection, frame: frames.Publish) -> int:
        """Send it to all subscribers; how many there were. Encoded once, then a loop."""
        check_name(frame.channel)
        if frame.channel not in self.by_name:
            return 0
        out = frames.encode(frames.Message(channel=frame.channel, data=frame.data))
        return self.deliver(frame.channel, out, connection if frame.exclude_me else None)

    def deliver(self, channel: str, out: bytes, excluded: Connection | None) -> int:
        """Send this message to all subscribers of this process; how many there were."""
        subscribers = self.by_name.get(channel, {})
        if excluded is None or excluded not in subscribers:
            for subscriber in subscribers:
                subscriber.send(out)
            return len(subscribers)
        for subscriber in subscribers:
            if subscriber is not excluded:
                subscriber.send(out)
        return len(subscribers) - 1


def cost_of(channel: str) -> int:
    """The bytes that one subscription to this channel is counted with."""
    return len(channel.encode()) + SUBSCRIPTION_COST


def check_name(channel: str) -> None:
    """Raises Refused for a channel name that is reserved or impossible."""
    if not is_name(channel):
        raise Refused("bad_frame", f"A channel's name {NAME_RULE}.")
    if channel.startswith(RESERVED):
        raise Refused("forbidden", f'Channel names that begin with "{RESERVED}" are reserved.')
