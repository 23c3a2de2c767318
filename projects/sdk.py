"""The SDKs of this site: the browser's script, with the hash browsers check it by, and packages for npm.

They were built with the public relay's URL as their default. Here they get this site's relay instead, so that a
program that does not name its relay shows its key to nobody else. npm's lock files hold a package's hash: the same
build and the same URL make the same bytes, on every machine.
"""

import base64
import hashlib
import io
import json
import struct
import tarfile
import zlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from urllib.parse import quote

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import condition, require_safe

DEFAULT_RELAY_URL = "wss://ws.gluer.io"  # DEFAULT_URL of sdks/core/src/address.ts
PACKED_AT = 499162500  # s since 1970: the time that npm gives to all files of a package
STORED = 0xFFFF  # bytes: the most that a block of deflate holds uncompressed
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
        return read(file, file.stat().st_mtime_ns, settings.RELAY_URL)
    except FileNotFoundError:
        return None


@lru_cache(maxsize=6)  # three files; a rebuild gives three more
def read(file: Path, modified_ns: int, relay_url: str) -> BuiltFile:
    url = quote(relay_url, safe=":/[]%").encode()  # without quotes and comment signs: it goes into strings of code
    content = file.read_bytes()
    content = repacked(content, url) if file.suffix == ".tgz" else pointed(content, url)
    digest = base64.b64encode(hashlib.sha384(content).digest()).decode()
    return BuiltFile(file.name, content, f"sha384-{digest}")


def pointed(text: bytes, url: bytes) -> bytes:
    """The text with `url` in place of the public relay's, in code and documents alike."""
    return text.replace(DEFAULT_RELAY_URL.encode(), url)


def repacked(package: bytes, url: bytes) -> bytes:
    """The package with `url` as its default. Its bytes depend on names and contents alone."""
    tarball = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(package)) as old,
        tarfile.open(fileobj=tarball, mode="w", format=tarfile.USTAR_FORMAT) as new,
    ):
        for member in sorted(filter(tarfile.TarInfo.isfile, old), key=lambda each: each.name):
            text = old.extractfile(member)
            assert text is not None  # it is a file
            content = pointed(text.read(), url)
            entry = tarfile.TarInfo(member.name)
            entry.size, entry.mtime = len(content), PACKED_AT
            new.addfile(entry, io.BytesIO(content))
    return gzipped(tarball.getvalue())


def gzipped(content: bytes) -> bytes:
    """A gzip file (RFC 1952) of stored blocks (RFC 1951, 3.2.4): compressed bytes differ between versions of zlib."""
    parts = [b"\x1f\x8b\x08\0\0\0\0\0\0\xff"]
    for start in range(0, len(content), STORED):
        block = content[start : start + STORED]
        is_last = start + STORED >= len(content)
        parts += [struct.pack("<?HH", is_last, len(block), len(block) ^ 0xFFFF), block]
    return b"".join(parts) + struct.pack("<II", zlib.crc32(content), len(content))


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
