"""`python -m gluer_site.embedded`: serves Gluer in the foreground until Ctrl-C. `make run` calls this."""

import asyncio
import sys

from gluer_site.embedded.options import Options, StartError, read_options
from gluer_site.embedded.place import listen, only_one
from gluer_site.embedded.supervisor import Supervisor
from gluer_site.environment import WrongEnvironment


def main() -> int:
    """Serve until asked to stop. Returns the exit code: 0 after a stop that was asked for, 1 with a sentence else."""
    try:
        return serve(read_options())
    except (WrongEnvironment, StartError) as problem:
        print(f"gluer: {problem}", file=sys.stderr, flush=True)
        return 1


def serve(options: Options) -> int:
    with listen(options.port) as listener, only_one(options.home):
        return asyncio.run(Supervisor(options, listener).run())


if __name__ == "__main__":
    sys.exit(main())
