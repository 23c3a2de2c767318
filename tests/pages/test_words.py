"""Pages, messages and mails of accounts speak Gluer's words: nothing of allauth's own shows through."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.conf import settings
from django.core.mail import EmailMessage
from django.template import Template
from django.test import Client
from django.test.signals import template_rendered

from accounts.models import User
from tests.conftest import PASSWORD
from tests.pages.test_signup import FORM, link_in
from tests.pages.walk import every_path

# One word for each thing (e-mail, sign in), and none of allauth's greetings and names for its own parts.
FORBIDDEN = re.compile(
    r"\bemails?\b|\bsign-?ups?\b(?! )|\blog ?ins?\b|\blogin\b|logged in|Hello from|Thank you for using|reauthenticat"
    r"|localhost|Successfully|token was|Bad Token|Remember Me|contact us|user account",
    re.IGNORECASE,
)
LAYOUTS = re.compile(r"allauth/layouts/(entrance|manage)|account/base_(entrance|manage\w*)|account/password_reset_help")
NEW = {"password1": "a whole new secret", "password2": "a whole new secret"}


@pytest.fixture
def rendered() -> Iterator[list[Template]]:
    """All templates that are rendered, also of messages and mails."""
    seen: list[Template] = []

    def note(template: Template, **kwargs: object) -> None:
        seen.append(template)

    template_rendered.connect(note)
    yield seen
    template_rendered.disconnect(note)


def text_of(html: str) -> str:
    """What a person reads of a page: its texts, and what stands in fields."""
    placeholders = re.findall(r'(?:placeholder|aria-label|alt)="([^"]*)"', html)
    return " ".join([re.sub(r"<[^>]*>", " ", html), *placeholders])


def walk_of_a_stranger(client: Client) -> Iterator[Any]:
    for path in every_path(key="x", uidb36="1"):
        if path.startswith("/accounts/"):
            yield client.get(path, follow=True)
    yield client.post("/accounts/signup/", {"email": "nonsense"})
    yield client.post("/accounts/login/", {"login": "alice@example.org", "password": "wrong"})
    yield client.post("/accounts/login/", {"login": "nonsense", "password": "x"})
    yield client.post("/accounts/password/reset/", {"email": "nonsense"})
    for email in (FORM["email"], "alice@example.org"):
        yield client.post("/accounts/signup/", {**FORM, "email": email}, follow=True)
    for email in ("nobody@example.org", "alice@example.org"):
        yield client.post("/accounts/password/reset/", {"email": email}, follow=True)


def walk_of_alice(client: Client, mails: list[EmailMessage]) -> Iterator[Any]:
    yield client.post("/accounts/login/", {"login": "alice@example.org", "password": PASSWORD}, follow=True)
    for path in every_path(key="x", uidb36="1"):
        if path.startswith("/accounts/"):
            yield client.get(path, follow=True)
    where = "/accounts/email/"
    for email in ("nonsense", "alice@example.org", "alice@new.example"):
        answer = client.post(where, {"action_add": "", "email": email}, follow=True)
        yield answer
        if answer.redirect_chain:
            for password in ("wrong", PASSWORD):
                yield client.post(answer.redirect_chain[-1][0], {"password": password}, follow=True)
    for action in ("action_send", "action_primary"):
        yield client.post(where, {action: "", "email": "alice@new.example"}, follow=True)
    yield client.post(where, {"action_remove": "", "email": "alice@example.org"}, follow=True)
    link = link_in(mails[-1])
    yield client.get(link)
    yield client.post(link, follow=True)
    yield client.get(link)
    yield client.post(where, {"action_add": "", "email": "alice@again.example"}, follow=True)
    yield client.post(where, {"action_remove": "", "email": "alice@again.example"}, follow=True)
    change = "/accounts/password/change/"
    yield client.post(change, {"oldpassword": "wrong", "password1": "x", "password2": "y"})
    yield client.post(change, {"oldpassword": PASSWORD, **NEW}, follow=True)
    yield client.post("/accounts/logout/", follow=True)
    client.post("/accounts/password/reset/", {"email": "alice@new.example"})
    link = link_in(mails[-1])
    page = client.get(link, follow=True)
    yield page
    yield client.post(page.redirect_chain[-1][0], {"password1": "x", "password2": "y"})
    yield client.post(page.redirect_chain[-1][0], NEW, follow=True)
    yield client.get(link, follow=True)
    User.objects.update(is_active=False)
    yield client.post("/accounts/login/", {"login": "alice@new.example", "password": NEW["password1"]}, follow=True)


def walk_of_a_taken_address(client: Client, charlie: User, alice: User) -> Iterator[Any]:
    """Two people want to change to one address; the second is told that it is taken."""
    wanted = [EmailAddress.objects.create(user=person, email="both@example.org") for person in (charlie, alice)]
    for address in wanted:
        link = f"/accounts/confirm-email/{address_key(address)}/"
        yield client.get(link)
        yield client.post(link, follow=True)


def address_key(address: EmailAddress) -> str:
    from allauth.account.models import EmailConfirmationHMAC

    return EmailConfirmationHMAC(address).key


def test_no_page_message_or_mail_is_of_allauths_own_words(
    alice: User, charlie: User, rendered: list[Template], mailoutbox: list[EmailMessage]
) -> None:
    pages = [*walk_of_a_stranger(Client()), *walk_of_a_taken_address(Client(), charlie, alice)]
    EmailAddress.objects.filter(email="both@example.org").delete()
    charlie.delete()
    pages += walk_of_alice(Client(), mailoutbox)
    texts = [text_of(page.text) for page in pages] + [f"{mail.subject}\n{mail.body}" for mail in mailoutbox]
    told = [re.sub(rf"{settings.SITE_URL}\S*", "", text) for text in texts]
    assert {around(found) for text in told for found in FORBIDDEN.finditer(text)} == set()
    theirs = {str(template.name) for template in rendered if not is_own(template)}
    assert {name for name in theirs if not LAYOUTS.match(name)} == set()
    assert len(pages) > 60
    assert len({mail.subject for mail in mailoutbox}) == 8


def around(found: re.Match[str]) -> str:
    return found.string[max(0, found.start() - 60) : found.end() + 30]


def is_own(template: Template) -> bool:
    origin = Path(str(template.origin.name))
    return "allauth" not in origin.parts or origin.is_relative_to(Path(settings.BASE_DIR) / "templates")
