"""The site: settings, URLs, servers, health, logs, and `make run`. It imports every app, and no app imports it."""

from gluer_site.celery import app as celery_app

__all__ = ["celery_app"]
