"""A project's keys: make, reveal, revoke."""

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import redirect, render

from accounts.decorators import SignedInRequest, posted, private_form, private_page
from projects.forms import KeyForm
from projects.models import Key
from projects.pages.secret import reveal
from projects.permissions import get_managed_key, get_managed_project, get_project, visible_keys

REVOKED_SHOWN = 20  # the latest


@private_page("GET", "POST")
def show(request: SignedInRequest, project_id: str) -> HttpResponse:
    """The list; a POST makes a key."""
    form = KeyForm(posted(request))
    if request.method == "POST" and made(request, project_id, form):
        return redirect("keys", project_id)
    project, membership = get_project(request.user, project_id)
    keys = visible_keys(project, membership)
    context = {
        "project": project,
        "membership": membership,
        "live_keys": keys.filter(revoked_at=None).order_by("kind", "id"),
        "revoked_keys": keys.exclude(revoked_at=None).order_by("-revoked_at")[:REVOKED_SHOWN],
        "form": form,
    }
    return render(request, "projects/keys.html", context, status=400 if form.is_bound else 200)


def made(request: SignedInRequest, project_id: str, form: KeyForm) -> bool:
    """Make the key the form asks for; False when it is wrong, and says why."""
    project = get_managed_project(request.user, project_id)
    if not form.is_valid():
        return False
    try:
        key = Key.make(project, form.cleaned_data["kind"], form.cleaned_data["name"])
    except ValidationError as error:
        form.add_error(None, error.messages)
        return False
    messages.success(request, f"The {key.kind} key “{key.name}” is made.")
    return True


@private_form("keys", "project_id")
def reveal_key(request: SignedInRequest, project_id: str, key_id: int) -> HttpResponse:
    key = get_managed_key(request.user, project_id, key_id)
    return reveal(request, key.project, f"{key.kind} key “{key.name}”", key.text)


@private_page("GET", "POST")
def revoke(request: SignedInRequest, project_id: str, key_id: int) -> HttpResponse:
    key = get_managed_key(request.user, project_id, key_id)
    if request.method == "GET":
        return render(request, "projects/revoke_key.html", {"project": key.project, "key": key})
    key.revoke()
    messages.success(request, f"The {key.kind} key “{key.name}” is revoked; connections that used it are closed.")
    return redirect("keys", project_id)
