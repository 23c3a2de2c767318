"""Site, REST and WebSockets on the listening socket whose file descriptor is the first argument.

Nobody could take over from it, so at SIGTERM it says `bye` and ends at once instead of draining.
"""

import socket
import sys

from gluer_site.serve import serve


def main(descriptor: int) -> None:
    serve(socket.socket(fileno=descriptor), drains=False)


if __name__ == "__main__":
    main(int(sys.argv[1]))
