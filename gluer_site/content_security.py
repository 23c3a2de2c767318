"""What a browser may load and run on a page of this site (Content-Security-Policy level 3).

Django 6.0 has this middleware built in, under the same setting; until then this is it. The policy is one header that
never changes, without nonces: pages have no inline script or style at all, so a library would add nothing to it.
"""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.deprecation import MiddlewareMixin


class ContentSecurityPolicy(MiddlewareMixin):
    """Adds the header SECURE_CSP describes to every answer; it stands first, so that errors have it too."""

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        return protect(response)


def protect(response: HttpResponse) -> HttpResponse:
    """Add the header to an answer, also to one that is made before any middleware runs."""
    policy = "; ".join(f"{directive} {' '.join(values)}" for directive, values in settings.SECURE_CSP.items())
    response.headers["Content-Security-Policy"] = policy
    return response
