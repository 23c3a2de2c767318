"""Makes a project that no plan limits, in the database of GLUER_HOME, and prints its id and keys as JSON.

By the ORM, in a process of its own: python -m bench.project
"""

import json
import os

import django
from django.core.management import call_command

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gluer_site.settings")
django.setup()

from accounts.models import User  # noqa: E402
from billing.models import Plan, WorkspacePlan  # noqa: E402
from projects.models import Kind, Project  # noqa: E402

ENOUGH = 10**15  # requests a month; counted and compared, never reached
NEVER = 1_000_000  # requests/s, what a project takes at most


def make() -> dict[str, str]:
    """A person, their workspace, a plan and a project."""
    workspace = User.objects.create(email="alice@example.org", name="Alice").workspaces.get()
    plan = Plan.objects.create(slug="bench", name="Benchmark", requests_per_month=ENOUGH)
    WorkspacePlan.objects.create(workspace=workspace, plan=plan)
    project = Project.make(workspace, "Benchmark")
    project.session_rate = project.address_rate = NEVER
    project.save()
    keys = {kind.name: project.live_keys(kind).get().text for kind in Kind}
    return {"PROJECT": project.pk, **keys}


if __name__ == "__main__":
    call_command("migrate", interactive=False, verbosity=0)
    print(json.dumps(make()))
