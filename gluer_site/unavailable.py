"""503 with a sentence, for pages and REST, when something they need is away or busy."""

import logging

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.deprecation import MiddlewareMixin
from kombu.exceptions import OperationalError
from redis.exceptions import ConnectionError, TimeoutError

from accounts.hashing import TooManyHashes
from gluer_site.disk import FOR_VISITORS, is_disk_failure, unwritable

RETRY_AFTER = 5  # s; a Redis that is started again answers by then
BUSY = "A part of this site is away or busy, and nothing was changed. Try again in some seconds."
PROBLEM = {"type": "about:blank", "title": "Service Unavailable", "status": 503, "code": "unavailable"}
log = logging.getLogger(__name__)


class Unavailable(MiddlewareMixin):
    """Answers 503 instead of 500 while Redis is away, which counts log-ins and requests, or too many passwords are
    being hashed. Nothing is let through uncounted: passwords could be guessed meanwhile.

    Also while the disk of an embedded Gluer is full or read-only; the log says once what to do.
    """

    disk_fails = False

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if is_disk_failure(exception):
            if not self.disk_fails:
                log.error("Changes are answered with 503, since %s", unwritable(settings.HOME, exception))
            self.disk_fails = True
            return unavailable(request.path, request, FOR_VISITORS)
        if not isinstance(exception, (ConnectionError, TimeoutError, OperationalError, TooManyHashes)):
            return None
        log.warning("%s was answered with 503: %s", request.path, str(exception) or type(exception).__name__)
        return unavailable(request.path, request)

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        if self.disk_fails and request.method == "POST" and response.status_code < 400:
            self.disk_fails = False
            log.warning("Changes succeed again")
        return response


def unavailable(path: str, request: HttpRequest | None = None, sentence: str = BUSY) -> HttpResponse:
    """The answer, as a problem to REST and as a page to all others."""
    if path.startswith("/api/"):
        problem = {**PROBLEM, "detail": sentence}
        response: HttpResponse = JsonResponse(problem, status=503, content_type="application/problem+json")
    else:
        response = render(request, "503.html", {"sentence": sentence}, status=503)
    response["Retry-After"] = str(RETRY_AFTER)
    return response
