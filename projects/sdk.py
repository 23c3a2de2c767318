"""The browser SDK, served as it was built, with the hash that browsers check it by."""

import base64
import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import condition, require_safe

NOT_BUILT = "// gluer-js is not built on this server. Run `make run`, or `npm run build` in sdks/gluer-js.\n"


@dataclass(frozen=True)
class BrowserSdk:
    content: bytes
    integrity: str  # as the script tag's attribute wants it


def browser_sdk() -> BrowserSdk | None:
    """The file as it is now; None when it is not built."""
    path = Path(settings.BASE_DIR) / "sdks" / "gluer-js" / "dist" / "gluer-js.umd.js"
    try:
        return read(path, path.stat().st_mtime_ns)
    except FileNotFoundError:
        return None


@lru_cache(maxsize=2)  # one file; a rebuild gives a second
def read(path: Path, modified_ns: int) -> BrowserSdk:
    content = path.read_bytes()
    digest = base64.b64encode(hashlib.sha384(content).digest()).decode()
    return BrowserSdk(content, f"sha384-{digest}")


def etag(request: HttpRequest) -> str | None:
    found = browser_sdk()
    return f'"{found.integrity}"' if found else None


@require_safe
@condition(etag_func=etag)
def serve(request: HttpRequest) -> HttpResponse:
    """For pages of any origin. `no-cache`: asked for anew each time (304), as the name stays when the hash changes."""
    found = browser_sdk()
    content, status = (found.content, 200) if found else (NOT_BUILT.encode(), 404)
    response = HttpResponse(content, status=status, content_type="text/javascript; charset=utf-8")
    response["Access-Control-Allow-Origin"] = "*"
    response["Cross-Origin-Resource-Policy"] = "cross-origin"
    response["Cache-Control"] = "public, no-cache" if found else "no-store"
    return response
