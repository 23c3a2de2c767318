"""A back end of gluer-nodejs that blocks its event loop."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.embedded.installation import until
from tests.relay.harness.home import BASE
from tests.relay.harness.shop import Shop

SDK = BASE / "sdks" / "gluer-nodejs" / "dist" / "index.cjs"
BLOCKS_FOR = 3_000  # ms
PROGRAM = f"""
const gluer = require({str(SDK)!r});
let runs = 0;
gluer.register_plugin('blocking', 'spin', (data) => {{
  const end = Date.now() + data.ms;
  while (Date.now() < end);
  return ++runs;
}});
gluer.connect(process.env.KEY, {{ url: process.env.URL }}).then(() => console.log('ready'));
"""


@pytest.fixture
def node(alice: Shop, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The program, connected."""
    assert SDK.exists(), "Build the SDKs first: make build"
    log = tmp_path / "node"
    environment = os.environ | {"KEY": alice.private, "URL": alice.relay.ws.removesuffix("/v1/ws")}
    with open(log, "wb") as output:
        process = subprocess.Popen(["node", "-e", PROGRAM], env=environment, stdout=output, stderr=subprocess.STDOUT)
    try:
        until(lambda: "ready" in log.read_text() or process.poll() is not None, "node")
        assert process.poll() is None, log.read_text()
        yield process
    finally:
        process.kill()
        process.wait(10)


async def test_a_function_that_blocks_node_for_three_seconds_survives(
    alice: Shop, node: subprocess.Popen[bytes]
) -> None:
    """Suspected it is, and nothing new comes; but its answer counts, and it is not sent away."""
    caller = await alice.frontend()
    first = await alice.servers()
    assert (await caller.call("blocking:spin", {"ms": BLOCKS_FOR}))["data"] == 1
    assert (await caller.call("blocking:spin", {"ms": 0}))["data"] == 2
    assert await alice.servers() == first
    assert await alice.calls() == {"result": 2, "suspected": 1}
    assert node.poll() is None
