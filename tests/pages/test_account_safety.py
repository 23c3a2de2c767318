"""Who changes what lets somebody sign in shows the password, and its owner is told by mail."""

import re

import pytest
from allauth.account.models import EmailAddress
from django.core.mail import EmailMessage
from django.test import Client

from accounts.models import User
from tests.conftest import PASSWORD
from tests.pages.test_signup import link_in

OLD, NEW = "alice@example.org", "alice@new.example"
SECRET = "a whole new secret"
PASSWORDS = {"password1": SECRET, "password2": SECRET}


@pytest.fixture
def page(alice: User, client: Client) -> Client:
    client.post("/accounts/login/", {"login": alice.email, "password": PASSWORD})
    return client


def ask_for(client: Client, email: str) -> str:
    """Ask for another address; the path of the page that wants the password."""
    return client.post("/accounts/email/", {"action_add": "", "email": email}).url  # type: ignore[attr-defined,no-any-return]


def change_to(client: Client, email: str, password: str = PASSWORD) -> str:
    """Ask for another address and show the password; what the last page says."""
    return client.post(ask_for(client, email), {"password": password}, follow=True).text


def mails_to(mailoutbox: list[EmailMessage], address: str) -> list[str]:
    return [f"{mail.subject}\n{mail.body}" for mail in mailoutbox if mail.to == [address]]


def test_another_e_mail_address_wants_the_password(page: Client, mailoutbox: list[EmailMessage]) -> None:
    assert ask_for(page, NEW).startswith("/accounts/reauthenticate/")
    assert "The password is not correct" in change_to(page, NEW, "wrong")
    assert not EmailAddress.objects.filter(email=NEW).exists()
    assert mailoutbox == []
    assert "as soon as you open the link" in change_to(page, NEW)
    assert EmailAddress.objects.filter(email=NEW).exists()


def test_the_old_address_is_told_when_a_change_is_asked_for_and_when_it_is_made(
    page: Client, mailoutbox: list[EmailMessage]
) -> None:
    change_to(page, NEW)
    [asked] = mails_to(mailoutbox, OLD)
    assert f"is to change to {NEW}" in asked
    assert "127.0.0.1" in asked
    [confirm] = [mail for mail in mailoutbox if mail.to == [NEW]]
    page.post(link_in(confirm))
    _, made = mails_to(mailoutbox, OLD)
    assert f"{NEW} instead of {OLD}" in made


def test_a_change_that_is_taken_back_is_told(page: Client, mailoutbox: list[EmailMessage]) -> None:
    change_to(page, NEW)
    page.post("/accounts/email/", {"action_remove": "", "email": NEW})
    assert "does not change" in mails_to(mailoutbox, OLD)[-1]
    assert not EmailAddress.objects.filter(email=NEW).exists()


def test_a_changed_password_is_told_and_ends_other_sessions(
    page: Client, alice: User, mailoutbox: list[EmailMessage]
) -> None:
    elsewhere = Client()
    elsewhere.post("/accounts/login/", {"login": OLD, "password": PASSWORD})
    page.post("/accounts/password/change/", {"oldpassword": PASSWORD, **PASSWORDS})
    [told] = mails_to(mailoutbox, OLD)
    assert "The password of your account was changed" in told
    assert "/accounts/password/reset/" in told
    assert (page.get("/ctx").status_code, elsewhere.get("/ctx").status_code) == (200, 302)


def test_a_reset_password_is_told_and_ends_all_sessions(
    page: Client, alice: User, mailoutbox: list[EmailMessage]
) -> None:
    reset(Client(), mailoutbox)
    assert "by a link that was mailed to you" in mails_to(mailoutbox, OLD)[-1]
    assert page.get("/ctx").status_code == 302


def reset(browser: Client, mailoutbox: list[EmailMessage]) -> None:
    browser.post("/accounts/password/reset/", {"email": OLD})
    form = browser.get(link_in(mailoutbox[-1]), follow=True).redirect_chain[-1][0]
    browser.post(form, PASSWORDS)


@pytest.mark.parametrize("way", ["changed", "reset"])
def test_a_new_password_ends_a_change_of_the_address_that_waits(
    page: Client, alice: User, mailoutbox: list[EmailMessage], way: str
) -> None:
    """Somebody who knew the old password has asked for it, and holds the link."""
    change_to(page, NEW)
    [confirm] = [mail for mail in mailoutbox if mail.to == [NEW]]
    if way == "reset":
        reset(Client(), mailoutbox)
    else:
        page.post("/accounts/password/change/", {"oldpassword": PASSWORD, **PASSWORDS})
    assert "This link has ended" in Client().get(link_in(confirm)).text
    assert list(EmailAddress.objects.values_list("email", "verified")) == [(OLD, True)]


def test_a_new_password_leaves_the_address_that_nobody_has_confirmed_yet(
    alice: User, mailoutbox: list[EmailMessage]
) -> None:
    EmailAddress.objects.update(verified=False)
    reset(Client(), mailoutbox)
    assert EmailAddress.objects.filter(email=OLD).exists()


def test_a_password_by_an_operator_is_told(alice: User, client: Client, mailoutbox: list[EmailMessage]) -> None:
    client.force_login(User.objects.create_superuser("root@example.org", PASSWORD, name="Root"))
    form = {**PASSWORDS, "usable_password": "true", "set-password": "1"}
    client.post(f"/admin/accounts/user/{alice.pk}/password/", {**form, "password2": "another"})
    assert mailoutbox == []
    client.post(f"/admin/accounts/user/{alice.pk}/password/", form)
    [told] = mails_to(mailoutbox, OLD)
    assert "by an operator" in told


def test_operators_change_their_own_password_where_all_do(client: Client, db: None) -> None:
    client.force_login(User.objects.create_superuser("root@example.org", PASSWORD, name="Root"))
    assert client.get("/admin/password_change/").url == "/accounts/password/change/"  # type: ignore[attr-defined]


def test_notices_say_nothing_that_their_cause_chose(page: Client, mailoutbox: list[EmailMessage]) -> None:
    """A browser's name is free text, and so it stands in no mail."""
    form = {"oldpassword": PASSWORD, **PASSWORDS}
    page.post("/accounts/password/change/", form, headers={"user-agent": "Call 555 at once"})
    assert not re.search("555", mails_to(mailoutbox, OLD)[0])
