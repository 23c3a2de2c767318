"""A whole production Gluer: Postgres, Redis, relays, nginx, and the office that changes its database."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from gluer_site.secrets import new_secrets
from tests.cluster.harness.nginx import Nginx
from tests.cluster.harness.postgres import Postgres
from tests.cluster.harness.redis import Redis
from tests.cluster.harness.relay import Relay
from tests.cluster.harness.shop import ClusterShop
from tests.embedded.installation import until
from tests.relay.harness.home import BASE, Home
from tests.relay.harness.office import Office


@dataclass
class Cluster:
    """Whoever harms it leaves it to `mend()`."""

    postgres: Postgres
    redis: Redis
    home: Home
    office: Office
    relays: list[Relay]
    nginx: Nginx

    def shop(self, owner: str) -> ClusterShop:
        """A new person's new project."""
        return ClusterShop.open(self.nginx, self.office, owner)

    def used(self, shop: ClusterShop) -> int:
        """Requests of its workspace, as the plan's limit sees them."""
        used: int = self.office.ask("used", workspace=shop.workspace)
        return used

    def until_counted(self, shop: ClusterShop, number: int, seconds: float = 15) -> None:
        """Wait until the database has this many of its requests."""
        until(lambda: self.used(shop) >= number, f"{number} counts", seconds)

    def mend(self) -> None:
        """All of it runs again."""
        for program in (self.redis, self.postgres, self.nginx):
            if program.program.runs:
                program.program.go_on()
            else:
                program.start()
        for relay in self.relays:
            if relay.runs:
                relay.go_on()
            else:
                relay.start()


@contextmanager
def running(folder: Path, relays: int = 2) -> Iterator[Cluster]:
    """Start all of it. At the end no secret stands in what the relays printed, and nothing failed unnoticed."""
    with ExitStack() as stack:
        postgres = Postgres(folder / "postgres.log")
        stack.callback(postgres.close)
        redis = Redis(folder)
        stack.callback(redis.close)
        postgres.start()
        redis.start()
        home = Home(folder / "home", production(postgres.url, redis.relay_url))
        migrate(home)
        office = Office(home)
        stack.callback(office.close)
        started = [Relay(home) for _ in range(relays)]
        for relay in started:
            stack.callback(relay.close)
            relay.start()
        nginx = Nginx(folder / "nginx", [relay.port for relay in started])
        stack.callback(nginx.close)
        yield Cluster(postgres, redis, home, office, started, nginx.start())
        assert redis.refused() == []
        for relay in started:
            relay.drain()
    for relay in started:
        assert_clean(relay, office)


def production(database: str, redis: str) -> dict[str, str]:
    """The settings of deploy/env.example, filled in."""
    return {
        **{name: value for name, value in new_secrets().items() if name != "GLUER_BROKER_PASSWORD"},
        "GLUER_MODE": "production",
        "GLUER_SITE_URL": "https://localhost",
        "GLUER_ALLOWED_HOSTS": "localhost,127.0.0.1",
        "GLUER_TRUSTED_PROXIES": "127.0.0.1",
        "GLUER_EMAIL_BACKEND": "django.core.mail.backends.console.EmailBackend",
        "DATABASE_URL": database,
        "REDIS_URL": redis,
    }


def migrate(home: Home) -> None:
    """As compose's one-shot service does."""
    (home.folder / "staticfiles").mkdir(parents=True)  # WhiteNoise warns when it is missing
    command = [sys.executable, "manage.py", "migrate", "--noinput", "--verbosity", "0"]
    subprocess.run(command, cwd=BASE, env=home.environment(), check=True, timeout=120)


def assert_clean(relay: Relay, office: Office) -> None:
    printed = relay.printed()
    assert not [secret for secret in office.secrets if secret in printed]
    assert not [line for line in printed.splitlines() if "A tick failed" in line or "Task exception" in line]
