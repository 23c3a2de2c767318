"""The ASGI application: Django's pages and REST, the bus over HTTP, and the relay's WebSockets, on one port."""

# ruff: noqa: E402 (Django must be set up before the relay is imported)

import os
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gluer_site.settings")

from django.core.asgi import get_asgi_application

site: Any = get_asgi_application()

from channels.routing import ProtocolTypeRouter, URLRouter
from django.apps import apps
from django.conf import settings
from django.urls import re_path

from gluer_site.bodies import BoundedBodies, ReadToEnd
from gluer_site.health import Readiness, alive, database_check, redis_check
from gluer_site.heartbeat import Heartbeat
from gluer_site.lifespan import Lifespan
from gluer_site.page_threads import PageThreads
from gluer_site.requests import Answers, Requests
from gluer_site.scrape import Scrape
from relay.edge.address import TrustedProxies
from relay.edge.consumers import RelayConsumer, unknown_path
from relay.edge.http import BusConsumer
from relay.metrics import RelayCollector

relay = apps.get_app_config("relay").relay  # type: ignore[attr-defined]
proxies = TrustedProxies(settings.TRUSTED_PROXIES)
socket: Any = RelayConsumer.as_asgi(relay=relay, proxies=proxies)  # type: ignore[no-untyped-call]
bus: Any = BusConsumer.as_asgi(relay=relay, proxies=proxies)  # type: ignore[no-untyped-call]
nowhere: Any = unknown_path
checks = {"database": database_check()}
if settings.REDIS_URL:
    checks["redis"] = redis_check(settings.REDIS_URL)
answers = Answers()
living: Any = alive
pages: Any = BoundedBodies(PageThreads(site))
ready: Any = Readiness(relay, checks)
metrics: Any = Scrape([RelayCollector(relay), answers], checks, proxies, settings.METRICS_TOKEN)
http = URLRouter(
    [
        re_path(r"^v1/(?P<verb>call|send|publish)/(?P<name>(?s:.+))$", bus),
        re_path(r"^v1/(?P<verb>channels)(?P<name>)$", bus),
        re_path(r"^healthz$", living),
        re_path(r"^readyz$", ready),
        re_path(r"^metrics$", metrics),
        re_path("", pages),
    ]
)

application = ProtocolTypeRouter(
    {
        "lifespan": Lifespan(relay, Heartbeat(os.environ)),
        "websocket": URLRouter([re_path(r"^v1/ws/(?P<project_id>[^/]*)$", socket), re_path("", nowhere)]),
        "http": Requests(ReadToEnd(http), answers, settings.ACCESS_LOG),
    }
)
