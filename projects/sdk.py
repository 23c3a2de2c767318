"""The SDKs as they were built: the browser's script, with the hash browsers check it by, and packages for npm."""

import base64
import hashlib
import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import condition, require_safe

SCRIPT_MISSING = "// gluer-js is not built on this server. Run `make build`.\n"
PACKAGE_MISSING = "The package {} is not built on this server. Run `make build`.\n"


@dataclass(frozen=True)
class BuiltFile:
    name: str
    content: bytes
    integrity: str  # as the script tag's attribute wants it


def browser_sdk() -> BuiltFile | None:
    """The script as it is now; None when it is not built."""
    return built("gluer-js/dist/gluer-js.umd.js")


def package(name: str) -> BuiltFile | None:
    """The tarball of gluer-js or gluer-nodejs in its present version; None when it is not built."""
    try:
        version = json.loads((sdks() / name / "package.json").read_text())["version"]
    except FileNotFoundError:
        return None
    return built(f"packed/{name}-{version}.tgz")


def sdks() -> Path:
    return Path(settings.BASE_DIR) / "sdks"


def built(path: str) -> BuiltFile | None:
    file = sdks() / path
    try:
        return read(file, file.stat().st_mtime_ns)
    except FileNotFoundError:
        return None


@lru_cache(maxsize=6)  # three files; a rebuild gives three more
def read(file: Path, modified_ns: int) -> BuiltFile:
    content = file.read_bytes()
    digest = base64.b64encode(hashlib.sha384(content).digest()).decode()
    return BuiltFile(file.name, content, f"sha384-{digest}")


def script_tag(request: HttpRequest) -> str | None:
    return tag(browser_sdk())


def package_tag(request: HttpRequest, name: str) -> str | None:
    return tag(package(name))


def tag(found: BuiltFile | None) -> str | None:
    return f'"{found.integrity}"' if found else None


@require_safe
@condition(etag_func=script_tag)
def serve_script(request: HttpRequest) -> HttpResponse:
    return answer(browser_sdk(), "text/javascript; charset=utf-8", SCRIPT_MISSING)


@require_safe
@condition(etag_func=package_tag)
def serve_package(request: HttpRequest, name: str) -> HttpResponse:
    """What `npm install <this URL>` takes."""
    found = package(name)
    if found is None:
        return answer(None, "text/plain; charset=utf-8", PACKAGE_MISSING.format(name))
    response = answer(found, "application/gzip")
    response["Content-Disposition"] = f'attachment; filename="{found.name}"'
    return response


def answer(found: BuiltFile | None, content_type: str, missing: str = "") -> HttpResponse:
    """For pages of any origin. `no-cache`: asked for anew each time (304), as the name stays when the hash changes."""
    content, status = (found.content, 200) if found else (missing.encode(), 404)
    response = HttpResponse(content, status=status, content_type=content_type)
    response["Access-Control-Allow-Origin"] = "*"
    response["Cross-Origin-Resource-Policy"] = "cross-origin"
    response["Cache-Control"] = "public, no-cache" if found else "no-store"
    return response
