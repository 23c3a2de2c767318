"""Requests beyond the threads that pages have: they wait, and too many of them are answered with 503."""

import asyncio
from typing import Any

import pytest

from gluer_site import page_threads
from gluer_site.page_threads import AT_ONCE, WAITING, PageThreads


class Site:
    """An application whose answers wait until it is told to go on."""

    def __init__(self) -> None:
        self.go_on = asyncio.Event()
        self.at_work = self.most = 0

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        while (await receive()).get("more_body"):
            pass
        self.at_work += 1
        self.most = max(self.most, self.at_work)
        await self.go_on.wait()
        self.at_work -= 1
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})


async def ask(pages: PageThreads, path: str = "/ctx", reads: asyncio.Event | None = None) -> dict[str, Any]:
    """The beginning of the answer; it is read when `reads` is set."""
    answer: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b""}

    async def send(message: dict[str, Any]) -> None:
        if reads:
            await reads.wait()
        answer.append(message)

    await pages({"type": "http", "path": path}, receive, send)
    return answer[0]


async def test_requests_share_the_threads_and_those_too_many_are_refused() -> None:
    site = Site()
    pages = PageThreads(site)
    asked = [asyncio.create_task(ask(pages)) for _ in range(AT_ONCE + WAITING)]
    await asyncio.sleep(0)
    for path, kind in (("/ctx", b"text/html"), ("/api/v1/projects", b"application/problem+json")):
        refusal = await ask(pages, path)
        headers = dict(refusal["headers"])
        assert (refusal["status"], headers[b"retry-after"]) == (503, b"5")
        assert headers[b"content-type"].startswith(kind)
        assert b"default-src 'none'" in headers[b"content-security-policy"]
    site.go_on.set()
    assert {answer["status"] for answer in await asyncio.gather(*asked)} == {200}
    assert site.most == AT_ONCE


async def test_who_waits_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_threads, "LONGEST_WAIT", 0.01)
    site = Site()
    pages = PageThreads(site)
    asked = [asyncio.create_task(ask(pages)) for _ in range(AT_ONCE)]
    await asyncio.sleep(0)
    assert (await ask(pages))["status"] == 503
    site.go_on.set()
    await asyncio.gather(*asked)


async def test_who_reads_slowly_holds_no_thread() -> None:
    site, reads = Site(), asyncio.Event()
    site.go_on.set()
    pages = PageThreads(site)
    slow = [asyncio.create_task(ask(pages, reads=reads)) for _ in range(2 * AT_ONCE)]
    assert (await ask(pages))["status"] == 200
    reads.set()
    await asyncio.gather(*slow)
