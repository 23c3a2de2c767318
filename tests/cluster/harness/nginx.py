"""A real nginx with deploy/nginx.conf, of which only addresses, ports and paths are replaced."""

import json
import os
import re
import signal
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gluer_site.embedded.broker import free_port
from tests.cluster.harness.certificate import Certificate
from tests.cluster.harness.needs import program
from tests.cluster.harness.program import Program
from tests.embedded.installation import until
from tests.relay.harness.home import BASE

SHIPPED = BASE / "deploy/nginx.conf"
TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
SERVER = r"( +server )relay\d:8000( .*;\n)"


class Nginx:
    """A door to these relays. `http` and `ws` are where clients go; `plain` is the port that redirects."""

    kind = "nginx"

    def __init__(self, folder: Path, relays: Sequence[int]) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self.port, self.plain_port = free_port(), free_port()
        self.http = f"https://localhost:{self.port}"
        self.ws = f"wss://localhost:{self.port}/v1/ws"
        self.plain = f"http://localhost:{self.plain_port}"
        self.certificate = Certificate(folder / "tls")
        self.tls = self.certificate.trusted()
        self.program = Program(folder / "output.log", ends_by=signal.SIGTERM)
        self.configuration = folder / "nginx.conf"
        self.configuration.write_text(self._placed(SHIPPED.read_text(), relays))

    def _placed(self, text: str, relays: Sequence[int]) -> str:
        """The shipped file, here. Every replacement must find what it replaces."""
        first = re.search(SERVER, text)
        assert first
        servers = "".join(f"{first[1]}127.0.0.1:{port}{first[2]}" for port in relays)
        temporary = "".join(f"    {name}_temp_path {self.folder}/{name};\n" for name in TEMPORARY)
        for pattern, here in (
            (f"(?:{SERVER})+", servers),
            (r"listen 80 ", f"listen 127.0.0.1:{self.plain_port} "),
            (r"listen 443 ", f"listen 127.0.0.1:{self.port} "),
            (r"/etc/nginx/tls/", f"{self.certificate.folder}/"),
            (r"/run/nginx\.pid", f"{self.folder}/pid"),
            (r"/var/log/nginx/", f"{self.folder}/"),
            (r"/var/www/acme", f"{self.folder}/acme"),
            (r"http \{\n", f"http {{\n{temporary}"),
        ):
            text, found = re.subn(pattern, here, text)
            assert found, f"{SHIPPED.name} has no {pattern}"
        return text

    def start(self) -> "Nginx":
        here = ["-p", str(self.folder), "-c", str(self.configuration), "-e", str(self.folder / "error.log")]
        root = "user root;" if os.getuid() == 0 else ""  # whom pytest's folders are open to
        self.program.start([program("nginx"), *here, "-g", f"daemon off;{root}"])
        until(lambda: self.answers() or not self.program.runs, "nginx to answer", 20)
        assert self.program.runs, self.program.printed()
        return self

    def answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1):
                return True
        except OSError:
            return False

    def served(self) -> list[dict[str, Any]]:
        """The access log; a WebSocket stands in it once it has ended."""
        return [json.loads(line) for line in (self.folder / "access.log").read_text().splitlines()]

    def errors(self) -> str:
        return (self.folder / "error.log").read_text()

    def close(self) -> None:
        self.program.end(signal.SIGTERM)
