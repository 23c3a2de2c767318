"""503 with a sentence, for pages and REST, when something they need is away or busy."""

import logging

from django.conf import settings
from django.db import InterfaceError
from django.db import OperationalError as DatabaseAway
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.deprecation import MiddlewareMixin
from kombu.exceptions import OperationalError
from redis.exceptions import ConnectionError, TimeoutError

from accounts.hashing import TooManyHashes
from gluer_site.disk import FOR_VISITORS, is_disk_failure, unwritable
from gluer_site.routes import route_of

RETRY_AFTER = 5  # s; a Redis that is started again answers by then
BUSY = "A part of this site is away or busy, and nothing was changed. Try again in some seconds."
PROBLEM = {"type": "about:blank", "title": "Service Unavailable", "status": 503, "code": "unavailable"}
AWAY = (ConnectionError, TimeoutError, OperationalError, TooManyHashes, DatabaseAway, InterfaceError)
log = logging.getLogger(__name__)


class Unavailable(MiddlewareMixin):
    """Answers 503 instead of 500 while Redis is away, which counts log-ins and requests, or too many passwords are
    being hashed. Nothing is let through uncounted: passwords could be guessed meanwhile.

    Also while the database is away, and while the disk of an embedded Gluer is full or read-only: then the log says
    once what to do.
    """

    disk_fails = False

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if is_disk_failure(exception):
            if not self.disk_fails:
                log.error("Changes are answered with 503, since %s", unwritable(settings.HOME, exception))
            self.disk_fails = True
            return unavailable(request.path, request, FOR_VISITORS)
        if not isinstance(exception, AWAY):
            return None
        log.warning("%s was answered with 503: %s", route_of(request.path), str(exception) or type(exception).__name__)
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
