"""A relay as one would write it first: a stock Channels consumer, which dispatches each message, on Daphne.

It speaks bare JSON frames (../wsrelay.c) and knows nobody.
"""

import json
from itertools import count
from typing import Any

from channels.generic.websocket import AsyncWebsocketConsumer
from channels.routing import ProtocolTypeRouter
from django.conf import settings

LAYER = {"BACKEND": "channels.layers.InMemoryChannelLayer", "CONFIG": {"capacity": 1_000_000}}  # it drops above
settings.configure(SECRET_KEY="of no use here", CHANNEL_LAYERS={"default": LAYER})  # noqa: S106

from django.core.asgi import get_asgi_application  # noqa: E402

backs: list["StockConsumer"] = []
pending: dict[str, tuple["StockConsumer", str]] = {}
sequence = count()
encode = json.JSONEncoder(separators=(",", ":")).encode


class StockConsumer(AsyncWebsocketConsumer):
    async def connect(self) -> None:
        if self.scope["path"] == "/back":
            backs.append(self)
        elif self.scope["path"] == "/sub":
            await self.channel_layer.group_add("t", self.channel_name)
        await self.accept()  # type: ignore[no-untyped-call]

    async def receive(self, text_data: str = "", bytes_data: bytes = b"") -> None:
        frame = json.loads(text_data)
        if frame["type"] == "call":
            number = next(sequence)
            pending[str(number)] = (self, frame["id"])
            await backs[number % len(backs)].send(encode(frame | {"id": str(number)}))  # type: ignore[no-untyped-call]
        elif frame["type"] == "result":
            caller, id = pending.pop(frame["id"])
            await caller.send(encode(frame | {"id": id}))  # type: ignore[no-untyped-call]
        else:
            await self.channel_layer.group_send("t", {"type": "published", "text": encode(frame)})

    async def published(self, event: dict[str, Any]) -> None:
        await self.send(event["text"])  # type: ignore[no-untyped-call]

    async def disconnect(self, code: int) -> None:
        if self in backs:
            backs.remove(self)
        await self.channel_layer.group_discard("t", self.channel_name)


consumer: Any = StockConsumer.as_asgi()  # type: ignore[no-untyped-call]
application = ProtocolTypeRouter({"http": get_asgi_application(), "websocket": consumer})
