"""What the edge needs of picows, most of which picows does not promise."""

import inspect
import logging
import re
import sys
from importlib.metadata import version
from typing import Any

import picows
import pytest

from relay.core.limits import Limits
from relay.edge import picows_link, server
from relay.edge.fast import FastWebSocketProtocol
from tests.relay.harness.home import BASE

MOVED = (
    "picows {} {}. Read its WSProtocol, adapt relay/edge/picows_link.py (the one place that touches it), run "
    "tests/relay/edge, and pin the new version in requirements.in."
)
ARGUMENTS = 15  # of WSProtocol, by position, as make_protocol gives them
USED = ("connection_made", "connection_lost", "get_buffer", "buffer_updated", "pause_writing", "resume_writing")
TRANSPORT = ("send", "disconnect", "underlying_transport", "is_close_frame_sent")
FRAME = ("msg_type", "fin", "rsv1", "rsv2", "rsv3", "get_payload_as_bytes")


def moved(what: str) -> str:
    return MOVED.format(version("picows"), what)


def accepts(protocol: Any, number: int) -> bool:
    """Whether WSProtocol takes so many arguments; their values are judged only once their number is right."""
    try:
        protocol(*[None] * number)
    except TypeError as error:
        return "positional argument" not in str(error)
    except Exception:
        return True
    return True


def test_picows_has_the_shape_the_edge_stands_on() -> None:
    protocol = getattr(sys.modules["picows.picows"], "WSProtocol", None)
    assert protocol is not None, moved("has no WSProtocol any more")
    fitting = [number for number in range(30) if accepts(protocol, number)]
    assert fitting == [ARGUMENTS], moved(f"makes a WSProtocol of {fitting} arguments, not {ARGUMENTS}")
    missing = [name for name in USED if not hasattr(protocol, name)]
    missing += [name for name in TRANSPORT if not hasattr(picows.WSTransport, name)]
    missing += [name for name in FRAME if not hasattr(picows.WSFrame, name)]
    assert not missing, moved(f"lacks {', '.join(missing)}")


def test_picows_is_the_pinned_one() -> None:
    for name in ("requirements.in", "requirements.txt"):
        pinned = re.findall(r"^picows==([\w.]+)", (BASE / name).read_text(), re.MULTILINE)
        assert pinned == [version("picows")], moved(f"is not what {name} pins, {pinned}")


def test_the_edge_is_fast_where_picows_is() -> None:
    assert issubclass(server.websocket_protocol(Limits()), FastWebSocketProtocol)


@pytest.mark.interpreted  # machine code is not imported twice
@pytest.mark.parametrize("missing", ["picows", "picows.picows"])
def test_without_picows_uvicorn_serves_with_a_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, missing: str
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)  # to import it raises ImportError
    for name in ("relay.edge.fast", "relay.edge.direct", "relay.edge.picows_link"):
        monkeypatch.delitem(sys.modules, name)
    with caplog.at_level(logging.WARNING):
        assert server.websocket_protocol(Limits()) is server.Socket
    (said,) = [record.getMessage() for record in caplog.records if record.name == "relay.edge.server"]
    assert said.startswith("The fast edge is not available, calls will cost more: ")
    assert missing in said


@pytest.mark.interpreted
def test_the_library_is_touched_in_one_place() -> None:
    touching = {
        path.relative_to(BASE).as_posix()
        for folder in ("relay", "gluer_site")
        for path in (BASE / folder).rglob("*.py")
        if re.search(r"^\s*(from|import) picows", path.read_text(), re.MULTILINE)
    }
    assert touching == {inspect.getfile(picows_link).removeprefix(f"{BASE}/")}
