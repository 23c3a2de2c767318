"""A real Redis (or Valkey) that can die, freeze and come back on its port."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import redis

from gluer_site.embedded.broker import broker_program, free_port
from tests.cluster.harness.program import Program
from tests.embedded.installation import until

PASSWORD = "a-password-of-the-tests"  # not what `make run` uses: none at all would hide a relay that forgets it


class Redis:
    """As deploy/ runs it: no files, no eviction. A restarted one has forgotten everything."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"redis://:{PASSWORD}@127.0.0.1:{self.port}"
        self.program = Program(folder / "redis.log")

    def start(self) -> "Redis":
        options = [
            "--port",
            str(self.port),
            "--bind",
            "127.0.0.1",
            "--requirepass",
            PASSWORD,
            "--dir",
            str(self.folder),
        ]
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

    def connections(self) -> int:
        """Those of backplanes and Celery, the one that asks not counted; the pages' cache is another database."""
        clients: list[dict[str, str]] = self.ask("CLIENT LIST")  # in one word, so that the answer is parsed
        return sum(client["db"] == "0" for client in clients) - 1

    def close(self) -> None:
        self.program.end(signal.SIGKILL)
