"""What a frame may be, what is said of one that is wrong, and that `data` is never touched."""

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from relay.core import frames, reading
from relay.core.errors import LONGEST_MESSAGE, Refused, Unreadable, cut
from tests.relay.core.cast import CoreRelay

CALL = '{"type":"call","id":"c1","cmd":"a:b"%s}'


def decode(text: str) -> frames.AnyFrame:
    return reading.decode(text.encode())


def refusal(text: str) -> Refused:
    with pytest.raises(Refused) as caught:
        decode(text)
    assert caught.value.code == "bad_frame"
    assert caught.value.message
    return caught.value


def data_of_depth(levels: int, opening: str = "[", closing: str = "]") -> str:
    return opening * levels + closing * levels


def call_of_depth(levels: int) -> str:
    """A call whose deepest value is on this level, the frame itself being the first."""
    return CALL % f',"data":{data_of_depth(levels - 1)}'


# --- good frames ------------------------------------------------------------------------------------------------------


def test_fields_come_in_any_order() -> None:
    assert decode('{"cmd":"a:b","id":"c1","type":"call"}') == decode(CALL % "")


def test_unknown_fields_are_passed_over() -> None:
    assert decode(CALL % ',"colour":"red","shape":{"corners":[1,2,3]}') == decode(CALL % "")


@pytest.mark.parametrize("timeout", [1, 30_000, 2**53])
def test_a_timeout_is_a_whole_number_of_milliseconds(timeout: int) -> None:
    frame = decode(CALL % f',"timeout":{timeout}')
    assert isinstance(frame, frames.Call)
    assert frame.timeout == timeout


def test_names_may_hold_any_printable_character() -> None:
    frame = decode('{"type":"call","id":"\U0001f600","cmd":"größe:\\ud83d\\ude00"}')
    assert isinstance(frame, frames.Call)
    assert (frame.id, frame.cmd) == ("\U0001f600", "größe:\U0001f600")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)
separators = st.sampled_from([(",", ":"), (", ", ": "), (" ,\n", " :\t")])


@given(json_values, separators, st.booleans())
@example(10**400, (",", ":"), True)
def test_data_of_any_kind_leaves_as_it_came(value: Any, separator: tuple[str, str], ascii_only: bool) -> None:
    data = json.dumps(value, separators=separator, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    relay = CoreRelay()
    page, server = relay.alice.frontend(), relay.alice.backend("a:b")
    page.sends_raw(b'{"type":"call","id":"c1","cmd":"a:b","data":' + data + b"}")
    assert b'"data":' + data + b',"timeout":' in server.raw[-1]
    call = server.assert_received("call")
    server.sends_raw(b'{"type":"result","id":"' + call["id"].encode() + b'","data":' + data + b"}")
    assert page.raw[-1] == b'{"type":"result","id":"c1","data":' + data + b"}"


@pytest.mark.parametrize(
    "data", ["1e999", "-0", "1.0", "123456789012345678901234567890", '"\\u0041\\/"', '{"a":1,"a":2}']
)
def test_data_keeps_the_spelling_of_its_writer(data: str) -> None:
    frame = decode(CALL % f',"data":{data}')
    assert isinstance(frame, frames.Call)
    assert bytes(frame.data) == data.encode()


# --- wrong frames -----------------------------------------------------------------------------------------------------

NOT_A_FRAME = {
    "nothing": "",
    "white space": "  \n",
    "no JSON": "hello",
    "a half frame": '{"type":"call","id":"c1","cmd":"a:b"',
    "two frames": '{"type":"ping"}{"type":"ping"}',
    "a list": '[{"type":"ping"}]',
    "a string": '"ping"',
    "a number": "5",
    "null": "null",
    "single quotes": "{'type':'ping'}",
    "a trailing comma": '{"type":"ping",}',
    "a leading zero in data": CALL % ',"data":01',
    "an unknown escape in data": CALL % ',"data":"\\x41"',
    "a raw control character in data": CALL % ',"data":"\x01"',
    "garbage behind an unknown type": '{"type":"dance", garbage',
    "garbage behind a wrong id": '{"type":"call","id":5, garbage',
    "garbage behind a wrong type": '{"type":5, garbage',
    "a half frame of an unknown type": '{"type":"dance","id":"c1"',
    "a frame in UTF-16": "".join(f"{character}\0" for character in CALL % ""),
}


@pytest.mark.parametrize("text", NOT_A_FRAME.values(), ids=NOT_A_FRAME)
def test_what_is_no_json_object_is_unreadable(text: str) -> None:
    with pytest.raises(Unreadable):
        decode(text)


ANSWERED_BY_ID = {
    "no command": '{"type":"call","id":"c1"}',
    "a command that is no string": '{"type":"call","id":"c1","cmd":5}',
    "an empty command": '{"type":"call","id":"c1","cmd":""}',
    "a long command": '{"type":"call","id":"c1","cmd":"' + "x" * 129 + '"}',
    "the id behind the mistake": '{"type":"call","cmd":5,"id":"c1"}',
    "a timeout of 0": CALL % ',"timeout":0',
    "a negative timeout": CALL % ',"timeout":-1',
    "a timeout with a fraction": CALL % ',"timeout":1.5',
    "a timeout written as a float": CALL % ',"timeout":1.0',
    "a timeout with an exponent": CALL % ',"timeout":1e3',
    "an endless timeout": CALL % ',"timeout":1e999',
    "a timeout beyond what JavaScript counts": CALL % f',"timeout":{2**53 + 1}',
    "a timeout of null": CALL % ',"timeout":null',
    "a timeout that is a string": CALL % ',"timeout":"1000"',
    "a timeout that is a truth": CALL % ',"timeout":true',
    "a lone surrogate in a command": '{"type":"call","id":"c1","cmd":"\\ud800"}',
    "a lone surrogate in data": CALL % ',"data":"\\udc00"',
    "a lone surrogate deep in data": CALL % ',"data":[{"a":"\\ud800 "}]',
    "a lone surrogate as a key of data": CALL % ',"data":{"\\ud83d":1}',
    "swapped surrogates in data": CALL % ',"data":"\\ude00\\ud83d"',
    "a lone surrogate in an unknown field": CALL % ',"colour":"\\ud800"',
    "129 levels": call_of_depth(129),
    "functions that are no list": '{"type":"register","id":"c1","functions":{}}',
    "a function without a name": '{"type":"register","id":"c1","functions":[{}]}',
    "channels that are no list": '{"type":"subscribe","id":"c1","channels":"news"}',
    "an empty channel": '{"type":"unsubscribe","id":"c1","channels":[""]}',
    "a publish without a channel": '{"type":"publish","id":"c1","data":1}',
}


@pytest.mark.parametrize("text", ANSWERED_BY_ID.values(), ids=ANSWERED_BY_ID)
def test_a_wrong_request_is_refused_by_its_id(text: str) -> None:
    refused = refusal(text)
    assert refused.id == "c1"
    assert refused.about in frames.REQUESTS


NO_ID_TO_ANSWER = {
    "no type": ("{}", None),
    "an empty type": ('{"type":""}', None),
    "a type that is no string": ('{"type":5,"id":"c1"}', None),
    "an unknown type": ('{"type":"dance","id":"c1"}', "dance"),
    "a type with a control character": ('{"type":"da\\u0007nce"}', None),
    "a call without an id": ('{"type":"call","cmd":"a:b"}', "call"),
    "an id that is a number": ('{"type":"call","id":5,"cmd":"a:b"}', "call"),
    "an id that is null": ('{"type":"call","id":null,"cmd":"a:b"}', "call"),
    "an empty id": ('{"type":"call","id":"","cmd":"a:b"}', "call"),
    "an id of 65 characters": ('{"type":"call","id":"' + "x" * 65 + '","cmd":"a:b"}', "call"),
    "a lone surrogate in the id": ('{"type":"call","id":"\\ud800","cmd":"a:b"}', "call"),
    "a lone surrogate in the type": ('{"type":"\\ud800","id":"c1"}', None),
    "a result without an id": ('{"type":"result","data":1}', "result"),
    "a wrong result, whose id is not the sender's": ('{"type":"result","id":"1","outcome":5}', "result"),
    "a hello without a key": ('{"type":"hello"}', "hello"),
    "a send without a command": ('{"type":"send"}', "send"),
    "100,000 levels": (call_of_depth(100_000), None),
    "100,000 levels that never end": ('{"type":"call","data":' + "[" * 100_000, None),
}


@pytest.mark.parametrize(("text", "about"), NO_ID_TO_ANSWER.values(), ids=NO_ID_TO_ANSWER)
def test_what_has_no_readable_id_is_refused_without(text: str, about: str | None) -> None:
    refused = refusal(text)
    assert (refused.id, refused.about) == (None, about)


@pytest.mark.parametrize("text", [*ANSWERED_BY_ID.values(), *(text for text, _ in NO_ID_TO_ANSWER.values())])
def test_a_wrong_frame_is_answered_on_its_connection_which_goes_on(text: str) -> None:
    relay = CoreRelay()
    page, stranger = relay.alice.frontend(), relay.charlie.frontend()
    page.sends_raw(text)
    answer = page.receives()
    assert (answer["type"], answer["code"]) in (("error", "bad_frame"), ("notice", "bad_frame"))
    page.assert_alive()
    stranger.assert_silent()


@pytest.mark.parametrize("text", NOT_A_FRAME.values(), ids=NOT_A_FRAME)
def test_what_is_no_frame_ends_its_connection_only(text: str) -> None:
    relay = CoreRelay()
    page, neighbour = relay.alice.frontend(), relay.alice.frontend()
    page.sends_raw(text)
    page.assert_closed(4400)
    neighbour.assert_alive()


# --- nesting ----------------------------------------------------------------------------------------------------------


def test_128_levels_are_not_too_deep() -> None:
    assert isinstance(decode(call_of_depth(128)), frames.Call)
    assert isinstance(decode(CALL % f',"other":[[],{{}}],"data":{data_of_depth(127)}'), frames.Call)
    assert bytes(reading.parse_data(data_of_depth(128).encode())) == data_of_depth(128).encode()


def test_brackets_in_strings_are_no_levels() -> None:
    text = json.dumps("[{" * 500 + '\\"[[[')
    assert isinstance(decode(CALL % f',"data":{text}'), frames.Call)


def test_many_values_side_by_side_are_not_deep() -> None:
    assert isinstance(decode(CALL % (',"data":[' + ",".join(["[{}]"] * 1_000) + "]")), frames.Call)


def depth(value: object) -> int:
    """How deep it nests, written as one would explain it."""
    if isinstance(value, dict):
        return 1 + max(map(depth, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(depth, value), default=0)
    return 0


brackets = st.text(alphabet='[]{}"\\:,a', max_size=30)
nested = st.recursive(
    st.integers() | brackets,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(brackets, inner, max_size=3),
    max_leaves=15,
)


@settings(deadline=None)
@given(nested, st.integers(100, 128), st.booleans())
@example(0, 128, True)
@example([], 128, False)
def test_is_deep_agrees_with_a_recursive_count(inner: Any, wrappings: int, in_lists: bool) -> None:
    value = inner
    for _ in range(wrappings):
        value = [value, inner] if in_lists else {"a": inner, "[": value}
    assert reading.is_deep(json.dumps(value).encode()) is (depth(value) > reading.DEEPEST)


# --- bodies and messages ----------------------------------------------------------------------------------------------


def test_an_empty_body_is_null() -> None:
    assert bytes(reading.parse_data(b" \n")) == b"null"


def test_a_body_is_data_as_it_is() -> None:
    assert bytes(reading.parse_data(b'{"a": [1,  2]}')) == b'{"a": [1,  2]}'


WRONG_BODIES = [
    b"{",
    b"hello",
    b'"\xff"',
    b'"\\ud800"',
    b"1 2",
    b"[" * 129 + b"]" * 129,
    b"[" * 100_000 + b"]" * 100_000,
]


@pytest.mark.parametrize("body", WRONG_BODIES)
def test_a_wrong_body_is_a_bad_frame(body: bytes) -> None:
    with pytest.raises(Refused) as caught:
        reading.parse_data(body)
    assert caught.value.code == "bad_frame"


@given(st.text())
@example("ü" * 200)
@example("a" + "\U0001f600" * 64)
def test_a_message_is_cut_at_a_character(message: str) -> None:
    short = cut(message)
    assert message.startswith(short)
    assert len(short.encode()) <= LONGEST_MESSAGE
    rest = message[len(short) :]
    assert not rest or len((short + rest[0]).encode()) > LONGEST_MESSAGE
