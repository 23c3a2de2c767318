"""A real Redis (or Valkey) with the users of deploy/users.acl, that can die, freeze and come back on its port."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import redis

from gluer_site.embedded.broker import broker_program, free_port
from tests.cluster.harness.program import Program
from tests.embedded.installation import until
from tests.relay.harness.home import BASE

PASSWORD = "a-password-of-the-tests"  # not what `make run` uses: none at all would hide a relay that forgets it
RELAY_PASSWORD, WORKER_PASSWORD = "relays-password", "workers-password"
USERS = BASE / "deploy/users.acl"


class Redis:
    """As deploy/ runs it: no files, no eviction. A restarted one has forgotten everything."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"redis://:{PASSWORD}@127.0.0.1:{self.port}"  # of the tests, which may do all
        self.relay_url = f"redis://relay:{RELAY_PASSWORD}@127.0.0.1:{self.port}"
        self.worker_url = f"redis://worker:{WORKER_PASSWORD}@127.0.0.1:{self.port}"
        self.program = Program(folder / "redis.log")

    def start(self) -> "Redis":
        (self.folder / "users.acl").write_text(users())
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder)]
        options += ["--aclfile", str(self.folder / "users.acl")]
        options += ["--save", "", "--appendonly", "no", "--maxmemory", "256mb", "--maxmemory-policy", "noeviction"]
        options += ["--enable-debug-command", "local"]
        self.program.start([broker_program(), *options])
        until(lambda: self.answers() or not self.program.runs, "Redis to answer", 20)
        assert self.program.runs, self.program.printed()
        return self

    def answers(self) -> bool:
        try:
            return bool(self.ask("PING"))
        except redis.RedisError:
            return False

    def ask(self, *command: str | int | bytes) -> Any:
        """Run one command."""
        with redis.Redis.from_url(self.url, socket_timeout=20) as client:
            return client.execute_command(*command)

    @contextmanager
    def listening(self, *channels: str) -> Iterator[Any]:
        """A subscriber of these channels."""
        with redis.Redis.from_url(self.url, socket_timeout=20) as client, client.pubsub() as listener:
            listener.subscribe(*channels)
            for _ in channels:
                assert listener.get_message(timeout=5)
            yield listener

    def kill(self) -> None:
        """Kill -9."""
        self.program.kill()

    def restart(self) -> None:
        """On the same port."""
        self.kill()
        self.start()

    def freeze(self) -> None:
        """SIGSTOP: connections stay, nothing is answered."""
        self.program.freeze()

    def go_on(self) -> None:
        self.program.go_on()

    def sleep(self, seconds: float) -> None:
        """`DEBUG SLEEP`: nobody is answered for so long. Returns at once."""
        client = redis.Redis.from_url(self.url)
        connection = client.connection_pool.get_connection()
        connection.send_command("DEBUG", "SLEEP", str(seconds))  # type: ignore[no-untyped-call]

    def kill_clients(self) -> int:
        """`CLIENT KILL` of all connections but our own. Returns how many there were."""
        return sum(int(self.ask("CLIENT", "KILL", "TYPE", kind)) for kind in ("normal", "pubsub"))

    def refused(self) -> list[tuple[str, str, str]]:
        """What its users were not let do: who, what, and in which command; each once."""
        log: list[dict[str, str]] = self.ask("ACL LOG")
        return sorted({(entry["username"], entry["object"], entry["context"]) for entry in log})

    def connections(self) -> int:
        """Those of backplanes and Celery, the one that asks not counted; the pages' cache is another database."""
        clients: list[dict[str, str]] = self.ask("CLIENT LIST")  # in one word, so that the answer is parsed
        return sum(client["db"] == "0" for client in clients) - 1

    def close(self) -> None:
        self.program.end(signal.SIGKILL)


def users() -> str:
    """The file of deploy/, filled in as compose does it, but for the default user, which the tests are."""
    lines = [line for line in USERS.read_text().splitlines() if line and not line.startswith("#")]
    lines[lines.index("user default off")] = f"user default on >{PASSWORD} ~* &* +@all"
    text = "\n".join(lines) + "\n"
    return text.replace(">RELAY_PASSWORD", f">{RELAY_PASSWORD}").replace(">WORKER_PASSWORD", f">{WORKER_PASSWORD}")
