"""Reveal, hide and copy, in a real browser, with its script and without."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.test import Client
from pytest_django.live_server_helper import LiveServer

from accounts.models import User
from projects.models import Key, Project
from tests.pages.browser import Browser, browser

SNIPPET = "document.querySelector('#server-snippet').textContent"
SAID = "document.querySelector('[role=status]#said').textContent"
FORM = "document.querySelector('form[data-reveal]')"
CLICK = f"{FORM}.querySelector('button').click()"


@pytest.fixture
def tab(live_server: LiveServer, alice: User, client: Client, tmp_path: Path) -> Iterator[Browser]:
    """A browser in which Alice is signed in."""
    client.force_login(alice)
    with browser(tmp_path) as tab:
        tab.command("Network.setCookie", name="sessionid", value=client.cookies["sessionid"].value, url=live_server.url)
        yield tab


@pytest.fixture
def key(project: Project) -> Key:
    return project.keys.get(kind="private")


def test_the_key_is_filled_into_the_snippet_and_hidden_again(
    tab: Browser, live_server: LiveServer, project: Project, key: Key
) -> None:
    tab.open(f"{live_server.url}/ctx/projects/{project.id}")
    assert key.masked in tab.run(SNIPPET)
    tab.run(CLICK)
    tab.until(f"{SNIPPET}.includes('{key.text}')")
    tab.run(CLICK)
    tab.until(f"{SNIPPET}.includes('{key.masked}')")
    assert key.text not in tab.run("document.documentElement.outerHTML")


def test_the_key_is_copied_without_being_shown(
    tab: Browser, live_server: LiveServer, project: Project, key: Key
) -> None:
    tab.open(f"{live_server.url}/ctx/projects/{project.id}")
    tab.run("navigator.clipboard.writeText = async (text) => { window.copied = text; }")
    tab.run(f"{FORM}.querySelector('[data-copy]').click()")
    tab.until(f"window.copied === '{key.text}'")
    tab.until(f"{SAID} === 'Copied: private key.'")
    assert key.text not in tab.run("document.documentElement.outerHTML")


def test_a_browser_that_refuses_to_copy_is_seen_on_the_button(
    tab: Browser, live_server: LiveServer, project: Project
) -> None:
    tab.open(f"{live_server.url}/ctx/projects/{project.id}")
    tab.run("navigator.clipboard.writeText = () => Promise.reject(new DOMException('no', 'NotAllowedError'))")
    tab.run(f"{FORM}.querySelector('[data-copy]').click()")
    tab.until(f"{FORM}.querySelector('[data-copy]').innerText.startsWith('Not copied')")
    tab.until(f"{SAID} === 'Not copied: private key.'")


def test_without_scripts_the_key_has_a_page_of_its_own(
    tab: Browser, live_server: LiveServer, project: Project, key: Key
) -> None:
    tab.command("Emulation.setScriptExecutionDisabled", value=True)
    tab.open(f"{live_server.url}/ctx/projects/{project.id}")
    tab.follow(CLICK)
    assert key.text in tab.run("document.body.textContent")
    assert key.text not in tab.run("location.href + document.title")


def test_who_is_signed_out_meanwhile_comes_to_the_sign_in_page(
    tab: Browser, live_server: LiveServer, project: Project, key: Key
) -> None:
    tab.open(f"{live_server.url}/ctx/projects/{project.id}")
    tab.command("Network.deleteCookies", name="sessionid", url=live_server.url)
    tab.follow(CLICK)
    assert tab.run("location.pathname") == "/accounts/login/"
