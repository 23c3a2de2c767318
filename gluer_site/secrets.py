"""The embedded mode's secrets: made once per installation, in a file only its owner may read."""

import json
import os
import secrets
from pathlib import Path

from cryptography.fernet import Fernet


def installation_secrets(folder: Path) -> dict[str, str]:
    """The secrets kept in `folder`/secrets.json (mode 0600), made at the first call: names as in the environment."""
    path = folder / "secrets.json"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        write_once(path, new_secrets())
    found: dict[str, str] = json.loads(path.read_text())
    return found


def new_secrets() -> dict[str, str]:
    return {
        "GLUER_SECRET_KEY": secrets.token_urlsafe(48),
        "GLUER_LOOKUP_SECRET": secrets.token_urlsafe(48),
        "GLUER_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
        "GLUER_BROKER_PASSWORD": secrets.token_urlsafe(24),
    }


def write_once(path: Path, content: dict[str, str]) -> None:
    """Write the file whole or not at all; of several processes that try at once the first one wins."""
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(content, file, indent=1)
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink(missing_ok=True)


def is_fernet_key(text: str) -> bool:
    try:
        Fernet(text)
    except ValueError:
        return False
    return True
