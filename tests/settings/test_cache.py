"""The cache in Redis holds JSON: what is kept comes back, and what somebody else writes there runs nothing."""

import json
import pickle
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.cache.backends.base import BaseCache
from django.core.cache.backends.redis import RedisCache
from django.test import Client as Browser
from pytest_django import Settings
from redis import Redis as Client

from accounts.models import User
from tests.cluster.harness.redis import Redis

RAN: list[str] = []


class Trap:
    """Runs code when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return RAN.append, ("ran",)


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    redis = Redis(tmp_path_factory.mktemp("redis"))
    yield redis.start()
    redis.close()


@pytest.fixture
def cache(redis: Redis) -> BaseCache:
    options = {"serializer": "gluer_site.cache.JSONSerializer"}
    return RedisCache(f"{redis.url}/1", {"OPTIONS": options, "KEY_PREFIX": "gluer-json"})


@pytest.mark.parametrize("value", [True, None, 7, 1.5, "text", [1.0, 2.0], {"a": [None]}])
def test_what_is_kept_comes_back(cache: BaseCache, value: object) -> None:
    cache.set("key", value)
    assert cache.get("key", "nothing") == value


def test_numbers_are_counted_up(cache: BaseCache) -> None:
    cache.set("count", 1)
    assert cache.incr("count") == 2


def test_what_json_cannot_hold_is_refused(cache: BaseCache) -> None:
    with pytest.raises(TypeError):
        cache.set("key", Trap())


def test_a_pickle_that_somebody_else_wrote_is_not_run(redis: Redis, cache: BaseCache) -> None:
    with Client.from_url(f"{redis.url}/1") as client:
        client.set(cache.make_key("key"), pickle.dumps(Trap()))
    with pytest.raises(UnicodeDecodeError):
        cache.get("key")
    assert RAN == []


def test_limits_of_log_ins_and_of_rest_are_kept_as_json(
    redis: Redis, settings: Settings, client: Browser, alice: User
) -> None:
    options = {"serializer": "gluer_site.cache.JSONSerializer"}
    place = {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": f"{redis.url}/1", "OPTIONS": options}
    settings.CACHES = {"default": place}
    for _ in range(12):
        client.post("/accounts/login/", {"login": alice.email, "password": "wrong"})
    client.force_login(alice, "allauth.account.auth_backends.AuthenticationBackend")
    assert client.get("/api/v1/projects").status_code == 200
    with Client.from_url(f"{redis.url}/1") as kept:
        values = {key: json.loads(kept.get(key)) for key in kept.keys(":1:*")}
    assert any(b"throttle" in key for key in values)
    assert any(b"rl:" in key for key in values), values
