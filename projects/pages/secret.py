"""How a secret is shown: only in the answer to a POST, kept in no cache, never in a URL or title."""

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render

from projects.models import Project


def reveal(request: HttpRequest, project: Project, name: str, secret: str) -> HttpResponse:
    """As JSON to the page's script (which asks for nothing else), as a page to browsers without it."""
    if request.get_preferred_type(["text/html", "application/json"]) == "application/json":
        return JsonResponse({"secret": secret})
    context = {"project": project, "name": name, "secret": secret}
    return render(request, "projects/secret_page.html", context)
