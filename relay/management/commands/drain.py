"""`manage.py drain`: ends this machine's relay processes without losing a call."""

import os
import signal
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from relay.processes import FOLDER, file_name, running

PATIENCE = 30.0  # s; a process ends within 23
LOOK_EVERY = 0.1  # s


class Command(BaseCommand):
    """Asks by SIGTERM, and waits for the end of each."""

    help = (
        "Drains the relay processes of this machine that were started by `python -m gluer_site.serve` (GP-6): their "
        "peers move to other processes, calls in flight finish, and they end, within 23 s. All, unless told otherwise."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--process", metavar="ID", help="drain only this process: its id, or its file's name in run/"
        )

    def handle(self, *args: Any, process: str | None, **options: Any) -> None:
        folder = Path(settings.HOME) / FOLDER
        found = running(folder)
        asked = [number for number in found if process in (None, str(number), file_name(number))]
        if process is not None and not asked:
            raise CommandError(f"Process {process} is no relay process of {folder}; there are: {named(found)}.")
        for number in asked:
            os.kill(number, signal.SIGTERM)
        self.stdout.write(f"Draining: {named(asked)}.")
        left = still_running(folder, set(asked))
        if left:
            raise CommandError(f"Not ended within {PATIENCE:.0f} s: {named(left)}. Look into their logs, or kill them.")
        self.stdout.write("All have ended.")


def still_running(folder: Path, asked: set[int]) -> list[int]:
    """Those of them that have not ended in time."""
    until = time.monotonic() + PATIENCE
    while (left := asked & set(running(folder))) and time.monotonic() < until:
        time.sleep(LOOK_EVERY)
    return sorted(left)


def named(processes: list[int]) -> str:
    return ", ".join(map(str, processes)) or "none"
