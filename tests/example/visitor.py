"""Somebody with a browser who signs up, makes a project and reads its keys off its page."""

import re
from dataclasses import dataclass

import httpx

from tests.embedded.installation import Installation, until

TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')
PASSWORD = "correct horse battery"


@dataclass
class Keys:
    public: str
    private: str


class Visitor:
    def __init__(self, installation: Installation) -> None:
        self.installation = installation
        self.browser = httpx.Client(base_url=installation.url, follow_redirects=True, timeout=30)

    def submit(self, path: str, action: str | None = None, accept: str = "text/html", **fields: str) -> httpx.Response:
        """Open the page at `path`, fill in a form of it and send it to `action` (by default the page itself)."""
        token = found(TOKEN, self.browser.get(path).text)
        fields["csrfmiddlewaretoken"] = token
        return self.browser.post(action or path, data=fields, headers={"Accept": accept}).raise_for_status()

    def sign_up(self, name: str, email: str) -> None:
        """Sign up, and open the link of the mail that stands in the terminal."""
        self.submit("/accounts/signup/", name=name, email=email, password1=PASSWORD, password2=PASSWORD)
        link = re.compile(rf"{self.installation.url}(/accounts/confirm-email/\S+)")
        until(lambda: link.search(self.installation.printed()), "the confirmation mail")
        page = self.submit(found(link, self.installation.printed()))
        assert page.url.path == "/ctx"

    def new_project(self, name: str) -> str:
        """Returns the path of the project's page."""
        form = found(re.compile(r'"(/ctx/workspaces/\d+/projects)"'), self.browser.get("/ctx").text)
        page = self.submit(form, name=name)
        return found(re.compile(r'"(/ctx/projects/[a-z2-7]{12})"'), page.text + f'"{page.url.path}"')

    def keys(self, project: str) -> Keys:
        page = self.browser.get(project).text
        reveal = found(re.compile(r'"(/ctx/projects/\w+/keys/\d+/reveal)"'), page)
        private = self.submit(project, reveal, accept="application/json").json()["secret"]
        return Keys(found(re.compile(r"(gluer_pub_\w+)"), page), private)


def found(pattern: re.Pattern[str], text: str) -> str:
    match = pattern.search(text)
    assert match, f"{pattern.pattern} is not in:\n{text}"
    return match[1]
