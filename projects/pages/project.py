"""A project's first page: the two snippets, its servers, its requests; and how it is deleted."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render

from accounts.decorators import SignedInRequest, posted, private_form, private_page
from projects import sdk
from projects.forms import DeleteForm, SettingsForm
from projects.pages.addresses import addresses
from projects.pages.card import Card
from projects.pages.secret import reveal
from projects.permissions import get_managed_project, get_project


@private_page("GET")
def show(request: SignedInRequest, project_id: str) -> HttpResponse:
    project, membership = get_project(request.user, project_id)
    context = {
        "project": project,
        "membership": membership,
        "card": Card(project, membership, list(project.keys.filter(revoked_at=None))),
        "sdk": sdk.browser_sdk(),
        **addresses(),
    }
    return render(request, "projects/project.html", context)


@private_page("GET", "POST")
def change_settings(request: SignedInRequest, project_id: str) -> HttpResponse:
    project = get_managed_project(request.user, project_id)
    form = SettingsForm(posted(request), instance=project)
    if form.is_valid():
        form.save()
        messages.success(request, "The settings are saved. Open connections follow within a second.")
        return redirect("project_settings", project.id)
    if form.is_bound:
        project.refresh_from_db()
    context = {"project": project, "form": form, "manages": True}
    return render(request, "projects/settings.html", context, status=400 if form.is_bound else 200)


@private_form("project_settings", "project_id")
def reveal_password(request: SignedInRequest, project_id: str) -> HttpResponse:
    project = get_managed_project(request.user, project_id)
    return reveal(request, project, "password", project.password)


@private_page("GET", "POST")
def regenerate_password(request: SignedInRequest, project_id: str) -> HttpResponse:
    project = get_managed_project(request.user, project_id)
    if request.method == "GET":
        return render(request, "projects/regenerate_password.html", {"project": project})
    project.regenerate_password()
    messages.success(request, "The project has a new password.")
    return redirect("project_settings", project.id)


@private_page("GET", "POST")
def delete(request: SignedInRequest, project_id: str) -> HttpResponse:
    project = get_managed_project(request.user, project_id)
    form = DeleteForm(project, posted(request))
    if form.is_valid():
        project.delete()
        messages.success(request, f"The project “{project.name}” is deleted.")
        return redirect("dashboard")
    status = 400 if form.is_bound else 200
    return render(request, "projects/delete.html", {"project": project, "form": form}, status=status)
