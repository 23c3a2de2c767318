"""`python -m gluer_site.serve --port 8000`: one relay process, with site, REST and WebSockets on one port.

SIGTERM drains it (GP-6): its peers move to the other relay processes, and it ends within 26 s. A second signal ends it
at once.
"""

import argparse
import os
import resource
import socket
import sys
from contextlib import ExitStack
from pathlib import Path

import uvicorn

from gluer_site.environment import WrongEnvironment

CUT_AFTER = 10_000  # ms that sent data may stay unacknowledged: a cut network ends its sockets (GP-13)
GRACE = 2  # s for requests under way when asked to stop; less than the supervisor's patience
BACKLOG = 2048  # connections that wait to be accepted, as uvicorn's own default
OWN_FILES = 128  # of a process: database, Redis, modules, pages' files; no client may take them
UNBOUNDED = 1_000_000  # connections where open files have no limit
LONGEST_PORT = 65_535


class CannotListen(Exception):
    """The address cannot be used; the message says why and what to do."""


def serve(listening: socket.socket, *, drains: bool) -> None:
    """Serve until a signal comes. `drains`: another process can take over, so peers move there first."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gluer_site.settings")
    from gluer_site import settings
    from gluer_site.asgi import application, proxies, relay
    from relay.edge.server import Server, websocket_protocol
    from relay.edge.uvicorn_http import KEEP_ALIVE, http_protocol

    config = uvicorn.Config(
        application,
        loop="uvloop",
        http=http_protocol(settings.LIMITS, proxies, most_connections(), relay.is_barred),
        ws=websocket_protocol(settings.LIMITS),
        ws_max_size=2 * settings.LIMITS.frame,  # what lies between is read and refused by name (GP-30)
        ws_ping_interval=None,  # the relay pings in its own protocol (GP-3)
        ws_per_message_deflate=False,  # costs more memory and time than it saves on small frames
        proxy_headers=bool(settings.TRUSTED_PROXIES),
        forwarded_allow_ips=settings.TRUSTED_PROXIES,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=GRACE,
        log_config=None,  # settings.LOGGING is the one place
        log_level="warning",
        access_log=False,
        server_header=False,
    )
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux; the sockets it accepts inherit it
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, CUT_AFTER)
    with ExitStack() as stack:
        if drains:
            register(settings.HOME, stack)
        Server(config, relay, drains=drains).run(sockets=[listening])


def most_connections() -> int:
    """As many as this process may have open files, but for those that it needs itself."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return UNBOUNDED if files == resource.RLIM_INFINITY else max(1, files - OWN_FILES)


def register(home: Path, stack: ExitStack) -> None:
    """Let `manage.py drain` find this process."""
    from relay.processes import FOLDER, registered

    try:
        stack.enter_context(registered(home / FOLDER))
    except OSError as problem:
        message = f"`manage.py drain` will not find this process, since {home / FOLDER} cannot be written"
        print(f"gluer: {message} ({problem.strerror}); SIGTERM drains it all the same.", file=sys.stderr, flush=True)


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; of `::` it takes IPv4 too. Raises CannotListen."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        both = host == "::" and socket.has_dualstack_ipv6()
        return socket.create_server(address[:2], family=family, backlog=BACKLOG, dualstack_ipv6=both)
    except OSError as problem:
        reason = str(problem.strerror).partition(" (while")[0]
        raise CannotListen(
            f"port {port} of {host} cannot be used ({reason}). Stop what uses it, or choose another: --port, --host"
        ) from problem


def inherited(descriptor: int) -> socket.socket:
    """The listening socket that this process was given. Raises CannotListen."""
    try:
        given = socket.socket(fileno=descriptor)
        if given.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            return given
        reason = "it does not listen"
    except OSError as problem:
        reason = problem.strerror or "unknown"
    raise CannotListen(f"descriptor {descriptor} is no listening socket ({reason}). Pass one, or use --port")


def port_number(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 1 <= int(text) <= LONGEST_PORT):
        raise argparse.ArgumentTypeError(f"a port is a number from 1 to {LONGEST_PORT}, not '{text}'")
    return int(text)


def main() -> int:
    """Serve as the command line says. Returns 1 with a sentence when it cannot."""
    parser = argparse.ArgumentParser(prog="python -m gluer_site.serve", description="Serves one relay process.")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--port", type=port_number, help="the port to listen on")
    where.add_argument("--fd", type=int, metavar="N", help="serve a listening socket that was inherited instead")
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (default: 127.0.0.1)")
    options = parser.parse_args()
    try:
        listening = listen(options.host, options.port) if options.fd is None else inherited(options.fd)
        serve(listening, drains=True)
    except (CannotListen, WrongEnvironment) as problem:
        print(f"gluer: {problem}", file=sys.stderr, flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
