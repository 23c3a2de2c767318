"""Every page of the site, found in its URLs, and what no page may contain."""

from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

from django.contrib import admin
from django.urls import URLPattern, URLResolver, get_resolver

NAME = """<script>window.ran=1</script>"'><img src=x onerror=ran=1>"""  # the names of an attacker
BIDI = [*range(0x202A, 0x202F), *range(0x2066, 0x206A)]  # they turn the direction of text
ZERO_WIDTH = [0x00AD, 0x180E, 0x200B, 0x200C, 0x200D, 0x200E, 0x2060, 0xFEFF]  # nobody sees them


def every_path(**ids: object) -> list[str]:
    """A path for each route below "/", with `ids` in place of its parameters ("1" where there is none)."""
    return sorted({f"/{path}" for path in paths_of(get_resolver().url_patterns, "", ids)})


def paths_of(patterns: list[Any], prefix: str, ids: dict[str, object]) -> Iterator[str]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            inner = prefix + str(pattern.pattern)
            yield from admin_paths() if pattern.app_name == "admin" else paths_of(pattern.url_patterns, inner, ids)
        elif isinstance(pattern, URLPattern):
            yield filled(prefix + str(pattern.pattern), pattern, ids)


def filled(route: str, pattern: URLPattern, ids: dict[str, object]) -> str:
    for name, converter in pattern.pattern.converters.items():
        kind = next(kind for kind in (f"<{name}>", f"<{type_of(converter)}:{name}>") if kind in route)
        route = route.replace(kind, str(ids.get(name, "1")))
    for name in getattr(pattern.pattern, "regex").groupindex:  # noqa: B009 (routes have none in the type)
        route = route.replace(f"(?P<{name}>[-:\\w]+)", "1").replace(f"(?P<{name}>[0-9A-Za-z]+)", "1")
    return route.replace("^", "").replace("$", "").replace("(?P<key>.+)", "1")


def type_of(converter: object) -> str:
    return type(converter).__name__.removesuffix("Converter").removesuffix("Id").lower().replace("string", "str")


def admin_paths() -> Iterator[str]:
    """The lists of all models, and the pages of each row."""
    yield from ("admin/", "admin/password_change/", "admin/jsi18n/", "admin/login/")
    for model in admin.site._registry:
        where = f"admin/{model._meta.app_label}/{model._meta.model_name}/"
        yield from (where, f"{where}?q=a", f"{where}add/")
        for row in model._default_manager.all():
            yield from (f"{where}{row.pk}/{page}/" for page in ("change", "history", "delete"))
    yield "admin/accounts/user/1/password/"


class Strict(HTMLParser):
    """Collects what a page with a strict Content-Security-Policy may not have, and what an attacker put in."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.wrong: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = dict(attrs)
        bad = [name for name in names if name.startswith("on") or name == "style"]
        if bad or tag == "style" or (tag == "script" and "src" not in names) or names.get("src") == "x":
            self.wrong.append(f"line {self.getpos()[0]}: {self.get_starttag_text()}")
        if (names.get("href") or "").lower().startswith("javascript:"):
            self.wrong.append(f"line {self.getpos()[0]}: {names['href']}")
