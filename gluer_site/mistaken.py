"""What browsers ask by mistake: a page by another method, or with a slash behind its address."""

from http import HTTPStatus

from django.http import HttpRequest, HttpResponse, HttpResponsePermanentRedirect
from django.shortcuts import render
from django.urls import is_valid_path
from django.utils.deprecation import MiddlewareMixin
from django.utils.http import escape_leading_slashes


class MistakenRequests(MiddlewareMixin):
    """Leads a GET with a slash too many to its page, and answers 405 by a page, where Django's answer is empty.

    REST and the bus answer both by problems of their own.
    """

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        if request.path.startswith(("/api/", "/v1/")):
            return response
        if response.status_code == HTTPStatus.NOT_FOUND and request.method == "GET":
            return without_slash(request) or response
        if response.status_code == HTTPStatus.METHOD_NOT_ALLOWED and not response.content:
            page = render(request, "405.html", status=response.status_code)
            page["Allow"] = response["Allow"]
            return page
        return response


def without_slash(request: HttpRequest) -> HttpResponse | None:
    """The way to the page whose address this is but for the slash at its end; None where there is none."""
    path = request.path.removesuffix("/")
    match = path != request.path and is_valid_path(path)
    if not match or not getattr(match.func, "should_append_slash", True):  # the admin's answer to all unknown paths
        return None
    query = request.META.get("QUERY_STRING", "")
    return HttpResponsePermanentRedirect(escape_leading_slashes(f"{path}?{query}" if query else path))
