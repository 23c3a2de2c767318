"""`python -m gluer_site.watch COMMAND …`: runs a relay process and kills it when its event loop hangs.

For containers, which nothing starts again while their process lives: compose only marks them as unhealthy. systemd
watches by itself (deploy/systemd). It ends as the command ends, and passes SIGTERM and SIGINT on.
"""

import os
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

from gluer_site.embedded.child import die_with

SILENT = 8  # s without a word, after which the process is killed; it speaks three times in this time
START = 60  # s until its first word
TURN = 1.0  # s; time is counted in turns, so a pause of the watcher itself (a frozen container) is no silence
LONGEST_WORD = 4096  # bytes


def watch(command: list[str], silent: int = SILENT, start: int = START) -> int:
    """Run the command to its end, or kill it when it is silent. Returns its exit code, as a shell does."""
    with (
        tempfile.TemporaryDirectory(prefix="gluer-watch-") as folder,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener,
    ):
        address = str(Path(folder, "notify"))
        listener.bind(address)
        listener.settimeout(TURN)
        told = {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": str(silent * 1_000_000)}
        process = subprocess.Popen(command, env={**os.environ, **told}, preexec_fn=die_with(os.getpid()))  # noqa: S603
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda number, frame: process.send_signal(number))
        turns_left = start
        while process.poll() is None:
            try:
                listener.recv(LONGEST_WORD)
                turns_left = silent
            except TimeoutError:
                turns_left -= 1
            if turns_left <= 0:
                print("gluer: the relay hangs and is killed (its event loop is silent).", file=sys.stderr, flush=True)
                process.kill()
                process.wait()
    code = process.returncode
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("usage: python -m gluer_site.watch COMMAND …")
    sys.exit(watch(sys.argv[1:]))
