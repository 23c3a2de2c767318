"""Mails that leave in the background: a page takes as long whether there is an account to write to or not."""

from collections.abc import Sequence

from django.conf import settings
from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend

from accounts.tasks import deliver

HIDDEN = "(…)"  # what Celery may show of a mail, which holds links


def is_printed() -> bool:
    """True when mail is printed where Gluer runs, as the embedded mode does, instead of being sent."""
    return str(settings.EMAIL_BACKEND).endswith("console.EmailBackend")


class Queue(BaseEmailBackend):
    """A way out for mails of plain text: Celery's worker sends them by EMAIL_BACKEND, and tries again when that fails.

    Without Redis there is no worker, and they are sent at once.
    """

    def send_messages(self, messages: Sequence[EmailMessage]) -> int:
        for mail in messages:
            deliver.apply_async((mail.subject, mail.body, mail.from_email, mail.to), argsrepr=HIDDEN, kwargsrepr=HIDDEN)
        return len(messages)
