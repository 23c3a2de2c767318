"""Static files, as the ASGI server hands them out; warnings are errors here."""

from pathlib import Path

import pytest
from django.conf import settings
from django.test import AsyncClient, Client

CSS = (Path(settings.BASE_DIR) / "static" / "gluer.css").read_bytes()


async def test_a_static_file_is_served_whole(async_client: AsyncClient) -> None:
    answer = await async_client.get("/static/gluer.css")
    assert answer.content == CSS
    assert answer["Content-Type"].startswith("text/css")


async def test_an_unchanged_file_is_not_sent_again(async_client: AsyncClient) -> None:
    changed = (await async_client.get("/static/gluer.css"))["Last-Modified"]
    answer = await async_client.get("/static/gluer.css", headers={"if-modified-since": changed})
    assert (answer.status_code, answer.content) == (304, b"")


async def test_a_part_of_a_file_is_served(async_client: AsyncClient) -> None:
    answer = await async_client.get("/static/gluer.css", headers={"range": "bytes=2-9"})
    assert (answer.status_code, answer.content) == (206, CSS[2:10])


def test_the_head_of_a_file_says_its_length(client: Client) -> None:
    answer = client.head("/static/gluer.css")
    assert (int(answer["Content-Length"]), answer.content) == (len(CSS), b"")


@pytest.mark.parametrize("path", ["/static/nothing.css", "/static/../manage.py", "/static/%2e%2e/manage.py"])
def test_nothing_else_is_served(db: None, client: Client, path: str) -> None:
    assert client.get(path).status_code == 404
