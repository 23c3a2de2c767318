"""Site, REST and WebSockets on the listening socket whose file descriptor is the first argument."""

import os
import socket
import sys

import uvicorn

CUT_AFTER = 10_000  # ms that sent data may stay unacknowledged: a cut network ends its sockets (GP-13)
GRACE = 2  # s for requests under way when asked to stop; less than the supervisor's patience


def main(descriptor: int) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gluer_site.settings")
    from gluer_site import settings
    from gluer_site.asgi import application, relay
    from relay.edge.server import Server, websocket_protocol

    config = uvicorn.Config(
        application,
        loop="uvloop",
        http="httptools",
        ws=websocket_protocol(settings.LIMITS),
        ws_max_size=2 * settings.LIMITS.frame,  # what lies between is read and refused by name (GP-30)
        ws_ping_interval=None,  # the relay pings in its own protocol (GP-3)
        ws_per_message_deflate=False,  # costs more memory and time than it saves on small frames
        proxy_headers=bool(settings.TRUSTED_PROXIES),
        forwarded_allow_ips=settings.TRUSTED_PROXIES,
        timeout_graceful_shutdown=GRACE,
        log_config=None,  # settings.LOGGING is the one place
        log_level="warning",
        access_log=False,
        server_header=False,
    )
    listening = socket.socket(fileno=descriptor)
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux; the sockets it accepts inherit it
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, CUT_AFTER)
    Server(config, relay).run(sockets=[listening])


if __name__ == "__main__":
    main(int(sys.argv[1]))
