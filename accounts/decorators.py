"""What every page behind the login has in common."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from accounts.models import User

View = TypeVar("View", bound=Callable[..., HttpResponse])


class SignedInRequest(HttpRequest):
    """A request that passed `private_page`."""

    user: User


def posted(request: HttpRequest) -> QueryDict | None:
    """What a form is bound to: nothing at a GET, the fields at a POST, even when there are none."""
    return request.POST if request.method == "POST" else None


def private_page(*methods: str) -> Callable[[View], View]:
    """For people who are signed in, by these methods, and kept in no cache: the page may show keys."""

    def decorate(view: View) -> View:
        return never_cache(login_required(require_http_methods(methods)(view)))

    return decorate


def private_form(page: str, *ids: str) -> Callable[[Callable[..., HttpResponse]], Callable[..., HttpResponse]]:
    """As `private_page`, for what a form sends from the page of this name (`posted_from`)."""

    def decorate(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
        return never_cache(login_required(posted_from(page, *ids)(view)))

    return decorate


def posted_from(page: str, *ids: str) -> Callable[[Callable[..., HttpResponse]], Callable[..., HttpResponse]]:
    """Take a form by POST alone, and lead a GET to the form's page, whose URL has these of the view's arguments.

    A browser asks by GET when its session had ended and it signed in again before the form was sent.
    """

    def decorate(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
        @wraps(view)
        def take(request: HttpRequest, **arguments: Any) -> HttpResponse:
            if request.method != "GET":
                return require_POST(view)(request, **arguments)
            messages.info(request, "Nothing was changed. If you were signed out meanwhile, send the form again.")
            return redirect(reverse(page, kwargs={name: arguments[name] for name in ids}))

        return take

    return decorate
