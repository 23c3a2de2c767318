"""Nobody learns whether an address has an account: the answers are the same, and so is the work for them.

Work is what takes time: hashes that are made, and mails that are queued.
"""

import json
import re

import pytest
from allauth.account.models import EmailAddress
from django.core.mail import EmailMessage
from django.test import Client
from pytest_django import Settings

from accounts import hashing, mails
from accounts.models import Invitation, User
from tests.conftest import PASSWORD
from tests.pages.test_signup import show_password

KNOWN, UNKNOWN = "alice@example.org", "dora@example.org"
STRANGERS = [
    # path, form, hashes
    ("/accounts/signup/", {"email": "{}", "name": "Dora", "password1": PASSWORD, "password2": PASSWORD}, 1),
    ("/accounts/password/reset/", {"email": "{}"}, 0),
    ("/accounts/login/", {"login": "{}", "password": "wrong"}, 1),
]
PEOPLE = [
    # path, form, mails
    ("/accounts/email/", {"action_add": "", "email": "{}"}, 2),  # one to the person's own address
    ("/ctx/workspaces/{w}/invitations", {"email": "{}", "role": "owner"}, 1),
    ("/api/v1/workspaces/{w}/invitations", {"email": "{}", "role": "owner"}, 1),
]


class Work:
    """How much was done since it was last `taken`."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.hashes = self.mails = 0
        hash_in_turn, queue = hashing.in_turn, mails.Queue.send_messages

        def in_turn(work: object) -> object:
            self.hashes += 1
            return hash_in_turn(work)  # type: ignore[arg-type]

        def send_messages(this: mails.Queue, messages: list[EmailMessage]) -> int:
            self.mails += len(messages)
            return queue(this, messages)

        patch.setattr(hashing, "in_turn", in_turn)
        patch.setattr(mails.Queue, "send_messages", send_messages)

    def taken(self) -> tuple[int, int]:
        """Hashes and mails."""
        taken = self.hashes, self.mails
        self.hashes = self.mails = 0
        return taken


@pytest.fixture
def work(alice: User, charlie: User, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Work:
    settings.PASSWORD_HASHERS = ["accounts.hashing.BoundedArgon2"]
    for person in (alice, charlie):
        person.set_password(PASSWORD)
        person.save()
    return Work(monkeypatch)


def asked(client: Client, path: str, form: dict[str, str], email: str) -> tuple[int, str, str]:
    """Status, where it leads, and the page without the address, numbers (ids and times) and the form's token."""
    fields = {name: value.format(email) for name, value in form.items()}
    answer = client.post(path, json.dumps(fields), "application/json") if "/api/" in path else client.post(path, fields)
    page = client.get(answer["Location"]).text if answer.status_code == 302 else answer.text
    lines = [line for line in page.replace(email, "").splitlines() if "csrfmiddlewaretoken" not in line]
    return answer.status_code, answer.get("Location", ""), re.sub("[0-9]", "", "\n".join(lines))


@pytest.mark.parametrize(("path", "form", "hashes"), STRANGERS)
def test_a_stranger_is_told_the_same_for_the_same_work(
    work: Work, path: str, form: dict[str, str], hashes: int
) -> None:
    known, of_known = asked(Client(), path, form, KNOWN), work.taken()
    unknown, of_unknown = asked(Client(), path, form, UNKNOWN), work.taken()
    assert known == unknown
    assert of_known == of_unknown == (hashes, 0 if "login" in path else 1)


@pytest.mark.parametrize(("path", "form", "mails"), PEOPLE)
def test_a_person_is_told_the_same_for_the_same_work(
    work: Work, charlie: User, client: Client, path: str, form: dict[str, str], mails: int
) -> None:
    client.force_login(charlie)
    show_password(client)
    work.taken()
    path = path.format(w=charlie.workspaces.get().pk)
    known, of_known = asked(client, path, form, KNOWN), work.taken()
    EmailAddress.objects.filter(user=charlie, verified=False).delete()
    Invitation.objects.all().delete()
    unknown, of_unknown = asked(client, path, form, UNKNOWN), work.taken()
    assert known == unknown
    assert of_known == of_unknown == (0, mails)
