"""A process that starts with a Redis that it cannot use says why, once."""

import asyncio
import logging
from pathlib import Path

import pytest

from tests.cluster.harness.redis import RELAY_PASSWORD, Redis
from tests.relay.backplane.test_seal import Process
from tests.relay.contract.conftest import until

WRONG = "a-wrong-one"


async def complaint(redis: Redis, caplog: pytest.LogCaptureFixture) -> str:
    """What the log of a process says once that has tried again."""

    def said(start: str) -> list[str]:
        return [record.message for record in caplog.records if record.message.startswith(start)]

    caplog.set_level(logging.DEBUG, "relay.backplane.layer")
    task = asyncio.create_task(Process(redis, "alone-").run())
    try:
        await until(lambda: len(said("Subscribing failed")) > 1, "a second attempt")
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    (found,) = said("Redis cannot be used")
    return found


async def test_a_redis_that_is_not_there_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    redis = Redis(tmp_path)
    told = await complaint(redis, caplog)
    assert str(redis.port) in told
    assert "REDIS_URL" in told


async def test_a_wrong_password_is_told_and_not_shown(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    redis = Redis(tmp_path).start()
    try:
        redis.url = redis.relay_url.replace(RELAY_PASSWORD, WRONG)
        told = await complaint(redis, caplog)
    finally:
        redis.close()
    assert "password" in told
    assert WRONG not in told
