"""What becomes of pages and REST while Redis is away: the limits of log-ins and requests are kept there."""

import logging

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.deprecation import MiddlewareMixin
from redis.exceptions import ConnectionError, TimeoutError

RETRY_AFTER = 5  # s; a Redis that is started again answers by then
PROBLEM = {
    "type": "about:blank",
    "title": "Service Unavailable",
    "status": 503,
    "code": "unavailable",
    "detail": "Requests cannot be counted at the moment, so none is taken. Try again in some seconds.",
}
log = logging.getLogger(__name__)


class RedisAway(MiddlewareMixin):
    """503 with a sentence instead of 500. Nothing is let through uncounted: passwords could be guessed meanwhile."""

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if not isinstance(exception, (ConnectionError, TimeoutError)):
            return None
        log.warning("Redis is away, %s was answered with 503: %s", request.path, exception)
        response = self.problem() if request.path.startswith("/api/") else render(request, "503.html", status=503)
        response["Retry-After"] = str(RETRY_AFTER)
        return response

    def problem(self) -> HttpResponse:
        return JsonResponse(PROBLEM, status=503, content_type="application/problem+json")
