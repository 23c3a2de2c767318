"""What a person reads when Gluer is up."""

import os
import sys
from pathlib import Path

from gluer_site.embedded.demo import read_account
from gluer_site.embedded.options import Options

BANNER = """
  Gluer runs at {url}
{demo}
  To make an operator (who may enter {url}/admin/), type in a second terminal:
      {manage} createsuperuser

  Next: {next_step}
  Confirmation e-mails appear below. Ctrl-C stops everything.
"""

DEMO = """
  Demo account:  {email}
  Password:      {password}
  Its project has a calculator that answers now. DEMO=0 leaves both out.
"""


def banner(options: Options) -> str:
    """The text printed once the site answers."""
    url = os.environ["GLUER_SITE_URL"].rstrip("/")
    if options.demo:
        demo = DEMO.format(**read_account(options.home))
        next_step = f"log in at {url}/accounts/login/ and open the demo project, or sign up for a project of your own."
    else:
        demo, next_step = "", f"sign up at {url}/accounts/signup/ and make a project."
    return BANNER.format(url=url, demo=demo, manage=manage(options), next_step=next_step)


def manage(options: Options) -> str:
    """How to call manage.py of this installation from the folder Gluer was started in."""
    home = f"GLUER_HOME={options.home} " if "GLUER_HOME" in os.environ else ""
    return f"{home}{short(Path(sys.executable))} {short(options.base / 'manage.py')}"


def short(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
