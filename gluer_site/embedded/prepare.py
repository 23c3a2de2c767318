"""Brings the database up to date and, with the argument `demo`, makes the demo account; one process, started once."""

import os
import sys

import django
from django.conf import settings
from django.core.management import call_command
from django.db import OperationalError

from gluer_site.disk import is_disk_failure, unwritable


def main() -> None:
    django.setup()
    settings.STATIC_ROOT.mkdir(parents=True, exist_ok=True)  # whitenoise warns when it is missing
    call_command("migrate", interactive=False, verbosity=0)
    if "demo" in sys.argv[1:]:
        call_command("make_demo")


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gluer_site.settings")
    try:
        main()
    except (OSError, OperationalError) as problem:
        if not (isinstance(problem, OSError) or is_disk_failure(problem)):
            raise
        sys.exit(unwritable(settings.HOME, problem))
