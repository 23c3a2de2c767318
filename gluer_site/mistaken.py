"""What browsers ask by mistake: a page by another method."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.deprecation import MiddlewareMixin


class MistakenRequests(MiddlewareMixin):
    """Answers 405 by a page that leads on; Django's answer is empty. REST answers it by a problem of its own."""

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        if request.path.startswith("/api/") or response.status_code != 405 or response.content:
            return response
        page = render(request, "405.html", status=405)
        page["Allow"] = response["Allow"]
        return page
