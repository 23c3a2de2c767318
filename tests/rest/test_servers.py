"""The connected back ends, over REST and on the project's page: page by page, however many there are."""

from collections.abc import Iterator

import pytest
from django.test import Client

from accounts.models import User
from projects.models import Project
from relay.core.connection import BACKEND
from relay.core.frames import FunctionSpec
from relay.core.tenant import Tenant
from tests.conftest import back_end
from tests.rest.conftest import ClientOf

MANY, FUNCTIONS = 1_200, 150


@pytest.fixture
def crowd(tenant: Tenant) -> Iterator[None]:
    """1,200 back ends of Alice's; the first has 150 functions."""
    for number in range(MANY):
        server = back_end(tenant)
        server.peer, server.id, server.name = BACKEND, str(number), f"server {number}"
        tenant.connections[server] = None
        if number == 0:
            tenant.functions.register(server, [FunctionSpec(name=f"f{n:03}") for n in range(FUNCTIONS)])
    yield
    tenant.connections.clear()


@pytest.mark.usefixtures("crowd")
def test_servers_come_in_pages(client_of: ClientOf, bob: User, project: Project) -> None:
    where = f"/api/v1/projects/{project.id}/servers"
    first = client_of(bob).get(where).json()
    assert (first["count"], len(first["results"])) == (MANY, 100)
    assert [server["name"] for server in first["results"][:2]] == ["server 0", "server 1"]
    assert len(client_of(bob).get(f"{where}?limit=100000").json()["results"]) == 500
    last = client_of(bob).get(f"{where}?limit=500&offset=1000").json()
    assert (len(last["results"]), last["next"]) == (200, None)


@pytest.mark.usefixtures("crowd")
def test_functions_come_in_pages_and_of_one_server_a_hundred(
    client_of: ClientOf, alice: User, project: Project
) -> None:
    client = client_of(alice)
    functions = client.get(f"/api/v1/projects/{project.id}/functions").json()
    assert (functions["count"], len(functions["results"])) == (FUNCTIONS, 100)
    [server] = client.get(f"/api/v1/projects/{project.id}/servers?limit=1").json()["results"]
    assert (server["function_count"], len(server["functions"]), server["functions"][0]) == (FUNCTIONS, 100, "f000")


@pytest.mark.usefixtures("crowd")
def test_pages_show_the_first_of_them(client: Client, alice: User, project: Project) -> None:
    client.force_login(alice)
    html = client.get(f"/ctx/projects/{project.id}").text
    assert "server 49<" in html
    assert "server 50<" not in html
    assert "And 1,150 more" in html
    assert f"… {FUNCTIONS} in all" in html
    assert "And 50 more" in html
    assert len(html) < 100_000
    assert f"{MANY} servers connected" in client.get("/ctx").text


def test_a_stranger_sees_none(client_of: ClientOf, charlie: User, project: Project) -> None:
    assert client_of(charlie).get(f"/api/v1/projects/{project.id}/servers").status_code == 404
