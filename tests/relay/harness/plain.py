"""The relay as it runs where picows is missing: on uvicorn's own WebSockets. Takes the listening descriptor."""

import sys

sys.modules["relay.edge.fast"] = None  # type: ignore[assignment]  # to import it raises ImportError

from gluer_site.embedded.web import main  # noqa: E402

if __name__ == "__main__":
    main(int(sys.argv[1]))
