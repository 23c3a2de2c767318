"""A relay that keeps keys for a moment: a test need not wait for half a minute until they are to be looked up again."""

import sys

from tests.cluster.harness.relay import Relay


class Forgetful(Relay):
    def command(self) -> list[str]:
        return [sys.executable, "-m", __name__, "--host", "127.0.0.1", "--port", str(self.port)]


if __name__ == "__main__":
    import gluer_site.asgi  # noqa: F401  (the directory needs Django)
    from gluer_site.serve import main
    from relay import directory

    directory.KEPT, directory.LOOK_BACK = 0.2, 1.0
    sys.exit(main())
