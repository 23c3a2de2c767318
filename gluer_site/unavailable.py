"""503 with a sentence, for pages and REST, when something they need is away or busy."""

import logging

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.deprecation import MiddlewareMixin
from kombu.exceptions import OperationalError
from redis.exceptions import ConnectionError, TimeoutError

from accounts.hashing import TooManyHashes

RETRY_AFTER = 5  # s; a Redis that is started again answers by then
PROBLEM = {
    "type": "about:blank",
    "title": "Service Unavailable",
    "status": 503,
    "code": "unavailable",
    "detail": "A part of this site is away or busy, and nothing was changed. Try again in some seconds.",
}
log = logging.getLogger(__name__)


class Unavailable(MiddlewareMixin):
    """Answers 503 instead of 500 while Redis is away, which counts log-ins and requests, or too many passwords are
    being hashed. Nothing is let through uncounted: passwords could be guessed meanwhile.
    """

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if not isinstance(exception, (ConnectionError, TimeoutError, OperationalError, TooManyHashes)):
            return None
        log.warning("%s was answered with 503: %s", request.path, str(exception) or type(exception).__name__)
        return unavailable(request.path, request)


def unavailable(path: str, request: HttpRequest | None = None) -> HttpResponse:
    """The answer, as a problem to REST and as a page to all others."""
    if path.startswith("/api/"):
        response: HttpResponse = JsonResponse(PROBLEM, status=503, content_type="application/problem+json")
    else:
        response = render(request, "503.html", status=503)
    response["Retry-After"] = str(RETRY_AFTER)
    return response
