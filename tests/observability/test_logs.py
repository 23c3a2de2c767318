"""Logs are JSON lines where machines read them, tell which request they are of, and keep everybody's secrets."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.embedded.installation import free_port, until
from tests.relay.conftest import running
from tests.relay.harness.home import Home
from tests.relay.harness.office import Office
from tests.relay.harness.server import RelayServer
from tests.relay.harness.shop import Shop
from tests.relay.harness.worker import Worker


@pytest.fixture(scope="module")
def relay(home: Home, office: Office) -> Iterator[RelayServer]:
    """One that logs all it can, as JSON."""
    with running(logging_relay(home), office) as server:
        yield server


def logging_relay(home: Home, kind: str = "uvicorn") -> RelayServer:
    server = RelayServer(home, kind)
    server.settings |= {"GLUER_LOG_FORMAT": "json", "GLUER_ACCESS_LOG": "all", "GLUER_LOG_LEVEL": "DEBUG"}
    return server


def lines(relay: RelayServer, **fields: Any) -> list[dict[str, Any]]:
    """What it printed, all of which is JSON, with these fields."""
    printed = [json.loads(line) for line in relay.printed().splitlines()]
    return [line for line in printed if line.items() >= fields.items()]


def get(relay: RelayServer, path: str, **headers: str) -> httpx.Response:
    return httpx.get(relay.http + path, headers=headers, trust_env=False)


@pytest.mark.parametrize(
    ("path", "route", "status"),
    [
        ("/accounts/login/", "/accounts/login/", 200),
        ("/nowhere", "/…", 404),
        ("/api/v1/projects", "/api/v1/projects", 401),
        ("/healthz", "/healthz", 200),
    ],
)
def test_a_request_keeps_the_id_it_came_with(relay: RelayServer, path: str, route: str, status: int) -> None:
    given = f"req-{status}-{len(path)}"
    answer = get(relay, f"{path}?search=Zacharias", **{"X-Request-ID": given})
    assert answer.headers.get_list("x-request-id") == [given]
    [line] = lines(relay, logger="gluer.access", request_id=given)
    assert line.items() >= {"method": "GET", "route": route, "status": status, "level": "info"}.items()
    assert "Zacharias" not in relay.printed()


async def test_the_bus_keeps_it_too(alice: Shop, relay: RelayServer) -> None:
    await alice.calculator()
    body = {"a": 5, "b": 3, "who": "Zacharias"}
    answer = await alice.post("/v1/call/calculator:add", json=body, headers={"X-Request-ID": "bus-1"})
    assert answer.headers.get_list("x-request-id") == ["bus-1"]
    [line] = lines(relay, request_id="bus-1")
    assert (line["route"], line["status"]) == ("/v1/call", 200)


@pytest.mark.parametrize("given", [{}, {"X-Request-ID": "two words"}, {"X-Request-ID": "x" * 129}])
def test_a_request_without_a_good_id_is_given_one(relay: RelayServer, given: dict[str, str]) -> None:
    one, other = (get(relay, "/nowhere", **given).headers["x-request-id"] for _ in range(2))
    assert one != other
    assert len(one) == 16
    assert lines(relay, request_id=one)


def test_what_django_says_of_a_request_carries_its_id_and_not_its_path(relay: RelayServer) -> None:
    get(relay, "/projects/Zacharias/nowhere?who=Zacharias", **{"X-Request-ID": "lost"})
    [line] = lines(relay, request_id="lost", logger="django.request")
    assert (line["event"], line["level"]) == ("Not Found: /…", "warning")
    assert "Zacharias" not in relay.printed()


@pytest.mark.parametrize("path", ["/", "/accounts/login/", "/api/v1/projects", "/static/gluer.css"])
def test_a_request_for_another_host_makes_one_short_line(relay: RelayServer, path: str) -> None:
    given = f"host{path.replace('/', '.')}"
    answer = get(relay, path, **{"Host": "attacker.example" + "x" * 5_000, "X-Request-ID": given})
    said = [line for line in lines(relay, request_id=given) if line["logger"] != "gluer.access"]
    assert len(said) == (answer.status_code == 400)
    for line in said:
        assert line["logger"] == "django.security.DisallowedHost"
        assert "exception" not in line
        assert len(json.dumps(line)) < 500


def test_a_request_that_is_refused_makes_one_line_without_a_traceback(relay: RelayServer) -> None:
    given = {"X-Request-ID": "broken-form", "Cookie": f"csrftoken={'a' * 32}", "Content-Type": "multipart/form-data"}
    answer = httpx.post(f"{relay.http}/accounts/login/", content=b"x", headers=given, trust_env=False)
    assert answer.status_code == 400
    [line] = [line for line in lines(relay, request_id="broken-form") if line["logger"] != "gluer.access"]
    assert line["event"].startswith("Bad request")
    assert "exception" not in line


@pytest.mark.parametrize("kind", ["uvicorn", "plain"])
async def test_no_name_no_payload_and_no_key_is_in_the_log(home: Home, office: Office, kind: str) -> None:
    with running(logging_relay(home, kind), office) as server:  # which looks for the keys
        alice = Shop.open(server, office, "Alice")
        await alice.calculator(name="payroll-host")
        caller = await alice.frontend()
        await caller.call("calculator:add", {"a": 5, "b": 3, "who": "Zacharias"})
        assert (await alice.post("/v1/call/unheard:of", json="Zacharias")).status_code == 404
        assert (await alice.post("/v1/call/unheard:of", "pk_wrong")).status_code == 401
        await alice.servers()
        assert lines(server, logger="gluer.access", route="/api/v1/projects/<project:project_id>/servers")
        await alice.close()
        secret = "MQ:1vMabc:Zacharias"
        get(server, f"/accounts/confirm-email/{secret}/")
        get(server, f"/accounts/login/?next=/{secret}")
        assert lines(server, logger="gluer.access")
    told = (alice.id, "calculator", "unheard", "payroll", "Zacharias", "pk_wrong", alice.token)
    assert not [name for name in told if name in server.printed()]


def test_a_person_reads_plain_lines_and_no_access_log_unless_asked_for(home: Home, office: Office) -> None:
    with running(RelayServer(home), office) as server:
        assert get(server, "/accounts/login/").status_code == 200
        get(server, "/nowhere", **{"X-Request-ID": "lost"})
    [line] = server.printed().splitlines()
    assert line.endswith("WARNING django.request: Not Found: /… request_id=lost")


def test_the_worker_logs_as_the_others_do(own_home: Home) -> None:
    own_home.settings |= {"GLUER_LOG_FORMAT": "json"}
    worker = Worker(own_home, f"redis://:Zacharias@127.0.0.1:{free_port()}")  # where nobody is
    worker.start()
    until(lambda: "Cannot connect" in worker.log.read_text(), "a complaint", 20)
    worker.kill()
    logged = [json.loads(line) for line in worker.log.read_text().splitlines()]
    assert all({"timestamp", "level", "logger", "event"} <= line.keys() for line in logged)
    assert "Zacharias" not in worker.log.read_text()
