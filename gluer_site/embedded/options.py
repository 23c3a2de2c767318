"""What the supervisor is told: two options of its own, and what it needs of the settings."""

import os
from pathlib import Path
from typing import NamedTuple

from gluer_site.environment import Environment

DEFAULT_PORT = 8000


class StartError(Exception):
    """Gluer cannot start, or not go on; the message says why and what to do."""


class Options(NamedTuple):
    port: int
    demo: bool
    home: Path
    base: Path
    redis_url: str  # empty: bring an own broker
    broker_password: str


def read_options() -> Options:
    """The options of this process's environment.

    Sets GLUER_SITE_URL (unless it is set) to fit the port, for the settings and for all children.
    Raises WrongEnvironment or StartError.
    """
    env = Environment()
    port = env.integer("PORT", DEFAULT_PORT, 1, 65_535)
    demo = env.flag("DEMO", True)
    env.refuse_wrong()
    os.environ.setdefault("PYTHONUNBUFFERED", "1")  # lines of the children come when they are written
    os.environ.setdefault("GLUER_SITE_URL", f"http://localhost:{port}")
    from gluer_site import settings  # reads GLUER_SITE_URL

    if not settings.EMBEDDED:
        raise StartError("GLUER_MODE=production is served by its own processes, not by `make run`: unset GLUER_MODE.")
    home, password = settings.HOME.resolve(), settings.made["GLUER_BROKER_PASSWORD"]
    return Options(port, demo, home, settings.BASE_DIR, settings.REDIS_URL, password)
