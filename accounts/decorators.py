"""What every page behind the login has in common."""

from collections.abc import Callable
from typing import TypeVar

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, QueryDict
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

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
