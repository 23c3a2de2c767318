"""A back-up of Postgres and the environment is all it takes (docs/operations.md)."""

import asyncio
import subprocess

from tests.cluster.harness.cluster import Cluster
from tests.cluster.harness.needs import program
from tests.cluster.harness.relay import Relay
from tests.cluster.harness.shop import ClusterShop
from tests.relay.harness.home import Home


def restored(cluster: Cluster, name: str) -> str:
    """A new database with all that is in the cluster's, by dump and restore. Returns its URL."""
    url = cluster.postgres.url.rpartition("/")[0] + f"/{name}"
    dump = cluster.home.folder / f"{name}.dump"
    for command in (
        ["pg_dump", "-Fc", f"--dbname={cluster.postgres.url}", f"--file={dump}"],
        ["createdb", f"--maintenance-db={cluster.postgres.url}", name],
        ["pg_restore", f"--dbname={url}", "--no-owner", "--exit-on-error", str(dump)],
    ):
        subprocess.run([program(command[0]), *command[1:]], check=True, timeout=60, cwd="/")
    return url


async def test_a_restored_installation_knows_its_keys_and_counts(cluster: Cluster, alice: ClusterShop) -> None:
    await alice.calculator()
    await (await alice.frontend()).call("calculator:add", {"a": 5, "b": 3})
    await asyncio.to_thread(cluster.until_counted, alice, 1)
    url = await asyncio.to_thread(restored, cluster, "restored")
    elsewhere = {"DATABASE_URL": url, "GLUER_BACKPLANE": "memory"}
    relay = Relay(Home(cluster.home.folder, cluster.home.settings | elsewhere))
    try:
        await asyncio.to_thread(relay.start)
        await alice.at(relay).calculator()
        answer = await (await alice.at(relay).frontend()).call("calculator:add", {"a": 5, "b": 4})
        assert answer["data"] == {"result": 9}
    finally:
        relay.close()
