"""What the cache keeps in Redis: JSON, so that whoever writes there makes nobody run code, as pickle would."""

import json
from typing import Any


class JSONSerializer:
    """Of CACHES' OPTIONS. Raises TypeError for what JSON cannot hold; a tuple comes back as a list."""

    def dumps(self, value: Any) -> str:
        return json.dumps(value)

    def loads(self, text: bytes) -> Any:
        return json.loads(text)
