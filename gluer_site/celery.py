"""The Celery application: counts are folded and mails are sent by its worker."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gluer_site.settings")

app = Celery("gluer")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
