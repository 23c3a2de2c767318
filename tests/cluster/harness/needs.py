"""Which programs the cluster is made of, and where they are here. `python -m tests.cluster.harness.needs` says what
is missing; `.ci/servers` installs it."""

import os
import pwd
import shutil
import sys
from pathlib import Path

DEBIAN = [*sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True), Path("/usr/sbin")]  # not on PATH there
PLACES = os.pathsep.join([os.environ.get("PATH", ""), *map(str, DEBIAN)])
NEEDED = ("initdb", "postgres", "nginx")  # Redis comes with requirements.txt, if there is none


def program(name: str) -> str:
    """Its path. Raises FileNotFoundError when it is not here."""
    found = shutil.which(name, path=PLACES)
    if found is None:
        raise FileNotFoundError(name)
    return found


def postgres_user() -> str | None:
    """Postgres does not run as root: as whom it runs. None: as we do."""
    if os.getuid() != 0:
        return None
    names = {account.pw_name for account in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


def missing() -> list[str]:
    """The names of the programs that are not here."""
    return [name for name in NEEDED if shutil.which(name, path=PLACES) is None]


if __name__ == "__main__":
    print(*missing())
    sys.exit(bool(missing()))
