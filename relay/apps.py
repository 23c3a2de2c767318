"""Wiring: the one relay of this process."""

from django.apps import AppConfig
from django.conf import settings


class RelayConfig(AppConfig):
    name = "relay"

    def ready(self) -> None:
        from channels.layers import get_channel_layer

        from relay.runtime import Relay

        self.relay = Relay(
            settings.LIMITS, settings.SETTLING, settings.HOME, get_channel_layer(), settings.LOOKUP_SECRET
        )
