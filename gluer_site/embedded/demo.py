"""The demo: an account with a project, and the project's back end (demo/server.mjs)."""

import json
import shutil
import subprocess
from pathlib import Path

from gluer_site.embedded.child import Child
from gluer_site.embedded.options import Options, StartError
from gluer_site.embedded.place import ADDRESS

OLDEST_NODE = 20
ASK_VERSION = f"process.exit(parseInt(process.versions.node) < {OLDEST_NODE} ? 1 : 0)"


def require_demo(options: Options) -> None:
    """Raise StartError when the demo's back end could not run."""
    node = shutil.which("node")
    if node is None or subprocess.run([node, "-e", ASK_VERSION]).returncode != 0:  # noqa: S603
        raise StartError(f"the demo needs Node.js {OLDEST_NODE} or newer on PATH. Install it, or start with DEMO=0.")
    if not (options.base / "sdks/gluer-nodejs/dist").is_dir():
        raise StartError("the demo needs the SDKs, which are not built. Run `make build`, or start with DEMO=0.")


def demo_server(options: Options) -> Child:
    """The calculator. Its private key stands in its environment, which only its own user can read."""
    environment = {
        "GLUER_URL": f"ws://{ADDRESS}:{options.port}",
        "GLUER_PRIVATE_KEY": read_account(options.home)["private_key"],
    }
    return Child("demo", ["node", str(options.base / "demo/server.mjs")], environment)


def read_account(home: Path) -> dict[str, str]:
    """What `manage.py make_demo` wrote: email, password, private_key, public_key."""
    account: dict[str, str] = json.loads((home / "demo.json").read_text())
    return account
