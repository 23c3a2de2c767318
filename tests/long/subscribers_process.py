"""Visitors (visitors_process.py) that subscribe to a channel, and count what comes on it."""

import json
import sys
from typing import Any

from tests.long.visitors_process import Visitor, Visitors
from tests.relay.harness.raw import framed

CHANNEL = "news"
SUBSCRIBE = framed({"type": "subscribe", "id": "1", "channels": [CHANNEL]})


class Subscribers(Visitors):
    """Welcome only when they are subscribed."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.messages = 0

    def heard(self, visitor: Visitor, what: bytes) -> None:
        if what.startswith(b'{"type":"message"'):
            self.messages += 1
        elif what.startswith(b'{"type":"welcome"'):
            visitor.socket.sendall(SUBSCRIBE)
        elif what.startswith(b'{"type":"result"'):
            self.welcome += 1
        else:
            super().heard(visitor, what)

    def report(self) -> None:
        open_ = self.welcome - self.lost
        print(json.dumps({"open": open_, "messages": self.messages, "told": self.told}), flush=True)


if __name__ == "__main__":
    subscribers = Subscribers(**json.loads(sys.stdin.readline()))
    subscribers.enter()
    subscribers.report()
    while True:
        subscribers.turn()
