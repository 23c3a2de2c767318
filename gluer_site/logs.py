"""One pipe for all logs of all processes: a JSON object a line, or a line to read.

Rule 1  No payload, no key, no password, no project's id, no query string: paths become routes, exceptions show no
        local variables.
Rule 2  Whoever logs uses `logging`; what a request's id is comes from its context (requests.py).
"""

import logging
import re
from typing import Any

import structlog
from structlog.typing import EventDict, Processor

QUERY = re.compile(r"\?[^\s\"'<>]+")
LONGEST_REFUSAL = 200  # characters
STAMP = ("timestamp", "level", "logger", "event", "exception")


def logging_settings(form: str, level: str) -> dict[str, Any]:
    """What Django gives to `logging.config.dictConfig`. `form`: "json" or "text"; structlog's loggers follow."""
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *COMMON, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    logs_of_servers = {"handlers": [], "propagate": True}
    quiet = max(logging.INFO, logging.getLevelNamesMapping()[level])  # uvicorn's DEBUG shows frames
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "pipe": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": COMMON,
                "processors": [*ENDING, structlog.processors.JSONRenderer() if form == "json" else line],
            }
        },
        "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "pipe"}},
        "root": {"handlers": ["console"], "level": level},
        "loggers": {
            "uvicorn": logs_of_servers,
            "uvicorn.error": {**logs_of_servers, "level": quiet},
            "uvicorn.access": {**logs_of_servers, "level": "WARNING"},  # it would show queries
            "django": {**logs_of_servers, "level": quiet},
            "django.server": {**logs_of_servers, "level": "WARNING"},
            "daphne": {**logs_of_servers, "level": quiet},
        },
    }


def without_path(logger: Any, method: str, event: EventDict) -> EventDict:
    """Django tells the path of a request that failed: the route is enough."""
    request = getattr(event["_record"], "request", None)
    path = getattr(request, "path", None)
    if isinstance(path, str):
        from gluer_site.routes import route_of  # needs Django's settings, which need this file

        shown = path.encode("unicode_escape").decode("ascii")
        event["event"] = event["event"].replace(shown, route_of(path)).replace(path, route_of(path))
    return event


def short_refusals(logger: Any, method: str, event: EventDict) -> EventDict:
    """A refused request is its sender's doing, a wrong Host (`django.security`) above all: one line, no traceback."""
    refused = getattr(event["_record"], "status_code", 500) < 500
    if refused or event["logger"].startswith("django.security."):
        event.pop("exc_info", None)
        event["event"] = event["event"][:LONGEST_REFUSAL]
    return event


def without_queries(logger: Any, method: str, event: EventDict) -> EventDict:
    """Query strings hold what people typed."""
    for name in ("event", "exception"):
        if name in event:
            event[name] = QUERY.sub("?…", str(event[name]))
    return event


def line(logger: Any, method: str, event: EventDict) -> str:
    """Time, level, logger, sentence, and whatever else there is."""
    more = "".join(f" {name}={value}" for name, value in event.items() if name not in STAMP)
    text = f"{event['timestamp']} {event['level'].upper()} {event['logger']}: {event['event']}{more}"
    return f"{text}\n{event['exception']}" if "exception" in event else text


COMMON: list[Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]
ENDING: list[Processor] = [
    without_path,
    short_refusals,
    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
    structlog.processors.format_exc_info,
    without_queries,
]
