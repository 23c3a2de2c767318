"""The dashboard: one's workspaces with their projects, and the form for a new one."""

from dataclasses import dataclass

from django.core.exceptions import ValidationError
from django.db.models import Prefetch
from django.http import HttpResponse
from django.shortcuts import redirect, render

from accounts.decorators import SignedInRequest, posted, private_page
from accounts.models import Membership
from accounts.permissions import MANAGERS, get_membership
from projects.forms import ProjectForm
from projects.models import Key, Project
from projects.pages.card import Card


@dataclass(frozen=True)
class Section:
    """A workspace on the dashboard."""

    membership: Membership
    cards: list[Card]

    @property
    def project_ids(self) -> list[str]:
        return [card.project.id for card in self.cards]


@private_page("GET")
def show(request: SignedInRequest) -> HttpResponse:
    memberships = request.user.memberships.select_related("workspace").order_by("workspace_id")
    sections = [Section(membership, cards_of(membership)) for membership in memberships]
    return render(request, "projects/dashboard.html", {"sections": sections, "form": ProjectForm(auto_id=False)})


def cards_of(membership: Membership) -> list[Card]:
    live = Prefetch("keys", Key.objects.filter(revoked_at=None).order_by("id"), to_attr="prefetched_keys")
    projects = Project.objects.filter(workspace_id=membership.workspace_id).prefetch_related(live)
    return [Card(project, membership, project.prefetched_keys) for project in projects]


@private_page("GET", "POST")
def new_project(request: SignedInRequest, workspace_id: int) -> HttpResponse:
    workspace = get_membership(request.user, workspace_id, MANAGERS).workspace
    form = ProjectForm(posted(request))
    if form.is_valid():
        try:
            project = Project.make(workspace, form.cleaned_data["name"])
        except ValidationError as error:
            form.add_error(None, error.messages)
        else:
            return redirect("project", project.id)
    status = 400 if form.is_bound else 200
    return render(request, "projects/new.html", {"form": form, "workspace": workspace}, status=status)
