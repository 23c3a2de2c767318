#!/usr/bin/env python3
"""Django's command line for Gluer."""

import os
import sys

from django.core.management import execute_from_command_line

from gluer_site.environment import WrongEnvironment


def main() -> int:
    """Run the command. Returns 2, with sentences, when the settings are wrong."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gluer_site.settings")
    try:
        execute_from_command_line(sys.argv)
    except WrongEnvironment as problem:
        print(problem, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
