"""Changes the database of a home the way pages and tasks do: by the ORM, in a process that is no relay."""

import json
import subprocess
import sys
import threading
from typing import Any

from tests.relay.harness.home import BASE, Home


class Office:
    """`ask` runs one function of office_process.py. It remembers every secret it handed out."""

    def __init__(self, home: Home, **settings: str) -> None:
        self.secrets: set[str] = set()
        self.people = 0
        self.lock = threading.Lock()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.relay.harness.office_process"],
            cwd=BASE,
            env=home.environment(**settings),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def ask(self, name: str, /, **arguments: Any) -> Any:
        with self.lock:
            assert self.process.stdin
            assert self.process.stdout
            print(json.dumps([name, arguments]), file=self.process.stdin, flush=True)
            line = self.process.stdout.readline()
        assert line, f"the office failed at {name}; its traceback stands in stderr"
        return json.loads(line)

    def person(self, name: str) -> dict[str, Any]:
        """A user nobody has seen before, with an empty workspace."""
        self.people += 1
        return self._keep(self.ask("person", email=f"{name.lower()}-{self.people}@example.org", name=name))

    def project(self, workspace: int) -> dict[str, Any]:
        return self._keep(self.ask("project", workspace=workspace, name="Shop"))

    def new_key(self, project: str, kind: str) -> str:
        key: str = self.ask("new_key", project=project, kind=kind)
        self.secrets.add(key)
        return key

    def regenerate_password(self, project: str) -> str:
        password: str = self.ask("regenerate_password", id=project)
        self.secrets.add(password)
        return password

    def _keep(self, made: dict[str, Any]) -> dict[str, Any]:
        self.secrets |= {made[name] for name in ("public", "private", "password", "token") if name in made}
        return made

    def close(self) -> None:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()
