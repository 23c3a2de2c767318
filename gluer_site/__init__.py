"""Wiring only: settings, URLs, ASGI, Celery. Imports every app and is imported by none."""

from gluer_site.celery import app as celery_app

__all__ = ["celery_app"]
