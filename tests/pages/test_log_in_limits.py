"""Guessing passwords is bounded, and keeps nobody else out; so is asking for mails."""

import re

import pytest
from django.conf import settings
from django.core.mail import EmailMessage
from django.test import Client
from pytest_django import Settings

from accounts.devices import COOKIE
from accounts.models import User
from tests.conftest import PASSWORD

HERE, ELSEWHERE = "192.0.2.1", "198.51.100.7"
NEW = {"password1": "a whole new secret", "password2": "a whole new secret"}


def at(address: str) -> Client:
    """Somebody's browser with this address."""
    return Client(REMOTE_ADDR=address)


def log_in(browser: Client, user: User, password: str = PASSWORD) -> bool:
    """Whether it led to the dashboard."""
    browser.post("/accounts/login/", {"login": user.email, "password": password})
    return browser.get("/ctx").status_code == 200


def guess(browser: Client, user: User, times: int) -> str:
    """What the page says after this many wrong passwords."""
    form = {"login": user.email, "password": "wrong"}
    return [browser.post("/accounts/login/", form).text for _ in range(times)][-1]


@pytest.fixture
def device(alice: User) -> Client:
    """Alice's browser, which has logged in before and out again."""
    browser = at(HERE)
    assert log_in(browser, alice)
    browser.post("/accounts/logout/")
    return browser


def test_guesses_from_elsewhere_lock_nobody_out(alice: User) -> None:
    assert "Too many failed attempts to sign in. Wait five minutes" in guess(at(ELSEWHERE), alice, 6)
    assert log_in(at(HERE), alice)


def test_guesses_are_bounded_for_an_address_whatever_its_cookies(alice: User) -> None:
    assert "not correct" in guess(at(ELSEWHERE), alice, 5)
    assert not log_in(at(ELSEWHERE), alice)


@pytest.mark.parametrize("address", ["2001:db8::{}", "::ffff:198.51.100.7"])
def test_an_ipv6_address_is_one_with_its_network(alice: User, address: str) -> None:
    for number in range(1, 6):
        guess(at(address.format(number)), alice, 1)
    assert not log_in(at(address.format(6)), alice)


def test_ipv4_addresses_written_as_ipv6_are_still_different_ones(alice: User) -> None:
    guess(at(f"::ffff:{ELSEWHERE}"), alice, 6)
    assert log_in(at(f"::ffff:{HERE}"), alice)


def test_an_address_that_tries_many_accounts_is_stopped(alice: User, charlie: User) -> None:
    browser = at(ELSEWHERE)
    guess(browser, charlie, 5)
    for number in range(5):
        browser.post("/accounts/login/", {"login": f"{number}@example.org", "password": "wrong"})
    assert not log_in(browser, alice)


def test_a_device_that_logged_in_before_is_let_in_beside_whoever_guesses(alice: User, device: Client) -> None:
    guess(at(HERE), alice, 40)
    assert not log_in(at(HERE), alice)
    assert log_in(device, alice)


def test_guesses_from_very_many_addresses_are_bounded_too(alice: User, device: Client, settings: Settings) -> None:
    settings.ACCOUNT_RATE_LIMITS = {**settings.ACCOUNT_RATE_LIMITS, "login_failed_anywhere": "20/d/key"}
    for number in range(20):
        guess(at(f"203.0.113.{number}"), alice, 1)
    assert not log_in(at(ELSEWHERE), alice)
    assert log_in(device, alice)


def test_a_new_password_lets_its_owner_in_from_anywhere(
    alice: User, settings: Settings, mailoutbox: list[EmailMessage]
) -> None:
    settings.ACCOUNT_RATE_LIMITS = {**settings.ACCOUNT_RATE_LIMITS, "login_failed_anywhere": "1/d/key"}
    guess(at(ELSEWHERE), alice, 1)
    browser = at(HERE)
    assert not log_in(browser, alice)
    browser.post("/accounts/password/reset/", {"email": alice.email})
    choose_password(browser, mailoutbox[0])
    assert log_in(browser, alice, NEW["password1"])


def test_a_known_device_may_not_guess_for_ever(alice: User, device: Client) -> None:
    assert "Too many failed attempts to sign in" in guess(device, alice, 6)
    assert not log_in(device, alice)


def test_a_device_is_known_to_the_account_that_used_it_only(alice: User, charlie: User, device: Client) -> None:
    guess(at(HERE), charlie, 6)
    assert not log_in(device, charlie)


def test_a_device_is_known_until_the_password_changes(alice: User, device: Client) -> None:
    alice.set_password(NEW["password1"])
    alice.save()
    guess(at(HERE), alice, 6)
    assert not log_in(device, alice, NEW["password1"])


@pytest.mark.parametrize("text", ["", "nonsense", "a:b:c", "ü", "WzEsMl0:1:x"])
def test_a_made_up_device_is_not_known(alice: User, text: str) -> None:
    guess(at(HERE), alice, 6)
    browser = at(HERE)
    browser.cookies[COOKIE] = text
    assert not log_in(browser, alice)


def test_the_cookie_of_a_device_is_for_the_server_and_its_log_in_only(alice: User, device: Client) -> None:
    cookie = device.cookies[COOKIE]
    assert cookie["httponly"]
    assert (cookie["samesite"], cookie["path"]) == ("Lax", "/accounts/")
    assert bool(cookie["secure"]) == settings.HTTPS
    assert alice.email not in cookie.value
    assert alice.password not in cookie.value


def choose_password(browser: Client, mail: EmailMessage) -> None:
    """Follow the link of a mail and set the new password."""
    found = re.search(r"(/accounts/password/reset/key/\S+)", str(mail.body))
    assert found
    form = browser.get(found[1], follow=True).redirect_chain[-1][0]
    browser.post(form, NEW)


def test_nobody_is_flooded_with_mails_and_nobody_hears_of_the_bound(
    alice: User, mailoutbox: list[EmailMessage]
) -> None:
    answers = [at(ELSEWHERE).post("/accounts/password/reset/", {"email": alice.email}) for _ in range(8)]
    assert {answer.status_code for answer in answers} == {302}
    assert len(mailoutbox) == 5


def test_asking_often_stops_nobodys_reset(alice: User, device: Client, mailoutbox: list[EmailMessage]) -> None:
    for _ in range(8):
        at(ELSEWHERE).post("/accounts/password/reset/", {"email": alice.email})
    device.post("/accounts/password/reset/", {"email": alice.email})
    assert len(mailoutbox) == 6
    choose_password(at(HERE), mailoutbox[0])  # the links of earlier mails are as good
    assert log_in(at(HERE), alice, NEW["password1"])
