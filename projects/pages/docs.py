"""The page that takes a visitor from nothing to the first call."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from projects.pages.addresses import addresses


@require_safe
def show(request: HttpRequest) -> HttpResponse:
    return render(request, "docs.html", addresses())
