"""The Celery application: counts are folded and mails are sent by its worker."""

import logging.config
import os
from typing import Any

from celery import Celery, signals
from django.conf import settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gluer_site.settings")

app = Celery("gluer")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


def set_up_logging(loglevel: int, **rest: Any) -> None:
    """Celery's lines go where all go (logs.py); `--loglevel` says how much it tells of itself."""
    logging.config.dictConfig(settings.LOGGING)
    logging.getLogger("celery").setLevel(loglevel)


signals.setup_logging.connect(set_up_logging)
