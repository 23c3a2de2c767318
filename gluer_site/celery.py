"""The Celery application: counts are folded and mails are sent by its worker."""

import logging.config
import os
from typing import Any

from celery import Celery, Task, signals
from django.conf import settings
from django.db.utils import OperationalError

from gluer_site.disk import is_disk_failure, unwritable

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gluer_site.settings")

log = logging.getLogger(__name__)


class DatabaseTask(Task):
    """A task whose database may be away, or its disk full: the first failure is logged with what to do."""

    throws: Any = (OperationalError,)  # Celery prints no traceback of these
    failing = False  # in this process

    def on_failure(self, exc: Exception, *rest: Any) -> None:
        if isinstance(exc, OperationalError) and not DatabaseTask.failing:
            DatabaseTask.failing = True
            reason = unwritable(settings.HOME, exc) if is_disk_failure(exc) else f"the database cannot be used: {exc}"
            log.error("Tasks fail and are tried again, since %s", reason)

    def on_success(self, *rest: Any) -> None:
        if DatabaseTask.failing:
            DatabaseTask.failing = False
            log.warning("Tasks succeed again")


app = Celery("gluer", task_cls=DatabaseTask)
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


def set_up_logging(loglevel: int, **rest: Any) -> None:
    """Celery's lines go where all go (logs.py); `--loglevel` says how much it tells of itself."""
    logging.config.dictConfig(settings.LOGGING)
    logging.getLogger("celery").setLevel(loglevel)


signals.setup_logging.connect(set_up_logging)
