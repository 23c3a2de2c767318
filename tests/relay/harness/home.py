"""A folder with the database and the secrets of one installation."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

BASE = Path(__file__).resolve().parents[3]
FOREIGN = ("REDIS_URL", "DATABASE_URL", "GLUER_")  # settings of whoever runs the tests


class Home:
    """GLUER_HOME of relays, offices and workers that belong together, and the settings that all of them have."""

    def __init__(self, folder: Path, settings: Mapping[str, str] | None = None) -> None:
        self.folder, self.settings = folder, dict(settings or {})

    @property
    def database(self) -> Path:
        return self.folder / "gluer.sqlite3"

    def environment(self, **settings: str) -> dict[str, str]:
        """For a process of this installation."""
        own = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
        return own | {"GLUER_HOME": str(self.folder)} | self.settings | settings

    def prepare(self) -> None:
        """Make secrets and database, as the supervisor does."""
        command = [sys.executable, "-m", "gluer_site.embedded.prepare"]
        subprocess.run(command, cwd=BASE, env=self.environment(), check=True, timeout=120)

    def copy(self, folder: Path) -> "Home":
        """An installation of its own; half a second quicker than preparing one."""
        shutil.copytree(self.folder, folder)
        return Home(folder, self.settings)
