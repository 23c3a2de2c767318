"""Celery's worker, with its beat as a thread.

`celery worker -B` runs the beat as a process of its own, which lives on when the worker is killed.
"""

import warnings

from celery.beat import EmbeddedService
from celery.exceptions import SecurityWarning

from gluer_site import celery_app

ARGUMENTS = [
    "--quiet",
    "worker",
    "--pool=threads",
    "--concurrency=2",
    "--loglevel=WARNING",
    "--without-gossip",  # there is no other worker to talk to
    "--without-mingle",
]

if __name__ == "__main__":
    warnings.simplefilter("ignore", SecurityWarning)  # of root, which containers run as; tasks are JSON, never code
    EmbeddedService(celery_app, thread=True, scheduler_cls="celery.beat:Scheduler").start()  # it writes no file
    celery_app.worker_main(ARGUMENTS)
