"""What the headers of a launch say, and what is read back from every shape in which they may arrive."""

from __future__ import annotations

import http.client
import json
import re
import threading
from email.message import Message
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import httpx
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers

from raindrop_logging import Carrier
from raindrop_logging.carrier import read_carrier

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
OTHER_TRACE, OTHER_SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
CARRIER: Final = Carrier(
    event_id="turn-1",
    child_event_id="job-1",
    name="researcher",
    trace_id=TRACE,
    span_id=SPAN,
    convo_id="convo-1",
    user_id="ada",
)
OWN = "x-raindrop-handoff"
IDS = "raindrop-event-id=turn-1,raindrop-child-event-id=job-1"
REWRITTEN: Final = {
    "traceparent": f"00-{OTHER_TRACE}-{OTHER_SPAN}-01",
    "baggage": "tenant=acme,raindrop-event-id=grandparent,raindrop-child-event-id=turn-1,raindrop-user-id=eve",
}
HTTP_VALUE = re.compile(r"[!-~]+")
"""A header's value without anything that needs care: no blank, no control character, nothing beyond ASCII."""

Pairs = list[tuple[str, str]]


# ---- what is sent ---------------------------------------------------------------------------------------------------


def test_three_headers_say_the_launch() -> None:
    """traceparent names the dispatching span; baggage and Raindrop's own header say all fields, percent-encoded."""
    carrier = msgspec.structs.replace(CARRIER, name="résumé, “2”", user_id="a=b;c")
    said = carrier.headers
    assert said["traceparent"] == f"00-{TRACE}-{SPAN}-01"
    assert said["baggage"] == said[OWN]
    assert dict(entry.split("=") for entry in said[OWN].split(",")) == {
        "raindrop-event-id": "turn-1",
        "raindrop-child-event-id": "job-1",
        "raindrop-trace-id": TRACE,
        "raindrop-dispatch-span-id": SPAN,
        "raindrop-handoff-name": "r%C3%A9sum%C3%A9%2C%20%E2%80%9C2%E2%80%9D",
        "raindrop-convo-id": "convo-1",
        "raindrop-user-id": "a%3Db%3Bc",
    }


def test_langsmith_headers_say_the_same() -> None:
    """LangSmith's dotted order holds trace and span, its metadata the fields, and Raindrop's own header is there."""
    said = CARRIER.langsmith_headers
    stamp = r"\d{8}T\d{12}Z"
    assert re.fullmatch(rf"{stamp}{TRACE}\.{stamp}{SPAN}", said["langsmith-trace"])
    assert said[OWN] == CARRIER.headers[OWN]
    assert said["baggage"].startswith("langsmith-metadata=%7B%22raindrop-event-id%22%3A%22turn-1%22")
    assert set(said) == {"langsmith-trace", "baggage", OWN}


def test_a_carrier_without_a_span_says_no_trace() -> None:
    """Where no span is known, or its ids are none, the trace headers are left out rather than filled with nonsense."""
    for ids in ({}, {"trace_id": TRACE}, {"trace_id": f"{TRACE}\r\nx: y", "span_id": SPAN}):
        carrier = Carrier(event_id="turn-1", child_event_id="job-1", **ids)
        assert carrier.traceparent is None
        assert set(carrier.headers) == {"baggage", OWN}
        assert set(carrier.langsmith_headers) == {"baggage", OWN}
        found = read_carrier(carrier.headers)
        assert found is not None
        assert (found.event_id, found.span_id) == ("turn-1", None)


texts = st.text(min_size=1, max_size=60).filter(str.strip)
carriers = st.builds(
    Carrier,
    event_id=texts,
    child_event_id=texts,
    name=texts,
    convo_id=st.none() | texts,
    user_id=st.none() | texts,
    trace_id=st.just(TRACE),
    span_id=st.just(SPAN),
)


@given(carriers)
def test_any_text_comes_back_and_none_breaks_out(carrier: Carrier) -> None:
    """Unicode, commas, quotes and line ends arrive as they were, and no header holds one of them."""
    for headers in (carrier.headers, carrier.langsmith_headers):
        assert all(HTTP_VALUE.fullmatch(value) for value in headers.values())
        assert read_carrier(headers) == carrier
        for name in (OWN, "baggage"):
            assert read_carrier({name: headers[name]}) == carrier


def test_text_that_utf8_cannot_say_is_sent_all_the_same() -> None:
    """A lone surrogate costs itself, not the launch."""
    carrier = msgspec.structs.replace(CARRIER, name="a\ud800b")
    for headers in (carrier.headers, carrier.langsmith_headers):
        assert read_carrier(headers) == msgspec.structs.replace(CARRIER, name="a?b")


def test_long_fields_leave_the_headers_short() -> None:
    """A field that would make a header longer than servers take is left out, a name before the ids of the link."""
    carrier = msgspec.structs.replace(CARRIER, name="ü" * 10_000, convo_id="c" * 10_000)
    expected = msgspec.structs.replace(CARRIER, name="subagent", convo_id=None)
    for headers in (carrier.headers, carrier.langsmith_headers):
        assert max(map(len, headers.values())) < 5_000
        assert read_carrier(headers) == expected


def test_a_carrier_can_travel_in_a_job() -> None:
    """The headers as JSON in a queue's message are a carrier, and so is the carrier itself."""
    assert read_carrier(json.loads(json.dumps(CARRIER.headers))) == CARRIER
    assert msgspec.json.decode(msgspec.json.encode(CARRIER), type=Carrier) == CARRIER


# ---- what it arrives in ---------------------------------------------------------------------------------------------


def _message(pairs: Pairs) -> Message:
    message = Message()
    for name, value in pairs:
        message[name] = value
    return message


def _joined(pairs: Pairs) -> dict[str, str]:
    names = dict.fromkeys(name for name, _ in pairs)
    return {name.title(): ",".join(value for key, value in pairs if key == name) for name in names}


def _listed(pairs: Pairs) -> dict[str, list[str]]:
    names = dict.fromkeys(name for name, _ in pairs)
    return {name.upper(): [value for key, value in pairs if key == name] for name in names}


CONTAINERS: Final[dict[str, Callable[[Pairs], Any]]] = {
    "pairs": list,
    "an iterator of pairs": iter,
    "ASGI": lambda pairs: [(name.encode(), value.encode()) for name, value in pairs],
    "Starlette": lambda pairs: Headers(raw=[(name.encode(), value.encode()) for name, value in pairs]),
    "httpx": httpx.Headers,
    "email": _message,
    "WSGI": _joined,
    "values in lists": _listed,
}


def _other_event(name: str) -> tuple[str, str]:
    return name, "raindrop-event-id=elsewhere"


@pytest.mark.parametrize("container", CONTAINERS.values(), ids=CONTAINERS)
def test_every_container_is_read(container: Callable[[Pairs], Any]) -> None:
    """Whatever a framework keeps its headers in, they are the same carrier, and other headers are none of it."""
    pairs = [("host", "worker"), *CARRIER.headers.items(), ("accept", "*/*")]
    assert read_carrier(container(pairs)) == CARRIER
    assert read_carrier(container([("host", "worker"), ("accept", "*/*")])) is None


@pytest.mark.parametrize("container", CONTAINERS.values(), ids=CONTAINERS)
def test_a_repeated_header_counts_in_every_container(container: Callable[[Pairs], Any]) -> None:
    """A header sent twice is read twice: the same again is nothing new, another event is a contradiction."""
    sent = [*CARRIER.headers.items()]
    assert read_carrier(container(sent + sent)) == CARRIER
    for name in (OWN, "baggage"):
        assert read_carrier(container([*sent, _other_event(name)])) is None
        assert read_carrier(container([_other_event(name), *sent])) is None


@pytest.mark.parametrize("change", [str.upper, str.title, str.lower])
def test_a_dict_may_have_names_in_any_case(change: Callable[[str], str]) -> None:
    """Names of headers have no case."""
    assert read_carrier({change(name): value for name, value in CARRIER.headers.items()}) == CARRIER


@pytest.fixture
def reader() -> Iterator[tuple[int, list[Carrier | None]]]:
    """The port of an http.server that reads a carrier from each request, and what it has read."""
    found: list[Carrier | None] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            found.append(read_carrier(self.headers))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.server_address[1], found
        server.shutdown()
        thread.join()


def test_a_real_server_shows_repeated_headers(reader: tuple[int, list[Carrier | None]]) -> None:
    """Over HTTP, http.server's headers are read, and a second one that names another event is not overlooked."""
    port, found = reader
    for more in ([], [(OWN, CARRIER.headers[OWN])], [_other_event(OWN)]):
        connection = http.client.HTTPConnection("127.0.0.1", port)
        connection.putrequest("POST", "/")
        for name, value in [*CARRIER.headers.items(), *more]:
            connection.putheader(name, value)
        connection.endheaders()
        assert connection.getresponse().status == 204
        connection.close()
    assert found == [CARRIER, CARRIER, None]


# ---- which header is believed ---------------------------------------------------------------------------------------


def test_our_own_header_wins() -> None:
    """What a client's instrumentation made of traceparent and baggage changes nothing, not even where they say more."""
    assert read_carrier({**CARRIER.headers, **REWRITTEN}) == CARRIER
    anonymous = msgspec.structs.replace(CARRIER, user_id=None)
    assert read_carrier({**anonymous.headers, **REWRITTEN}) == anonymous


def test_the_standard_headers_are_enough() -> None:
    """Where our own header got lost, baggage says the launch, and traceparent the span that baggage does not say."""
    headers = CARRIER.headers
    del headers[OWN]
    assert read_carrier(headers) == CARRIER
    assert read_carrier({**headers, "traceparent": REWRITTEN["traceparent"]}) == CARRIER
    bare = Carrier(event_id="turn-1", child_event_id="job-1", name="subagent", trace_id=TRACE, span_id=SPAN)
    assert read_carrier({"baggage": IDS, "traceparent": headers["traceparent"]}) == bare
    assert read_carrier({"baggage": IDS, "traceparent": f"cc-{TRACE}-{SPAN}-01-later"}) == bare


def test_baggage_of_others_does_no_harm() -> None:
    """Entries of others, blanks and properties around ours are skipped, and theirs may come twice."""
    text = f"tenant=a, tenant=b ,,=, broken, raindrop-handoff-name = r%20d ;secret;ttl=5 , {IDS.replace(',', ' , ')}"
    found = read_carrier({"baggage": text})
    assert found == Carrier(event_id="turn-1", child_event_id="job-1", name="r d")


def test_langsmith_headers_are_read() -> None:
    """A dotted order is trace first and run last; a run's UUID is a trace id, but no id of a span."""
    headers = CARRIER.langsmith_headers
    del headers[OWN]
    assert read_carrier(headers) == CARRIER
    metadata = quote(json.dumps({"raindrop-event-id": "turn-1", "raindrop-child-event-id": "job-1", "n": 1}))
    order = f"20260101T000000000001Z{TRACE[:8]}-{TRACE[8:]}.20260101T000000000002Z"
    found = read_carrier({"baggage": f"langsmith-metadata={metadata}", "langsmith-trace": f"{order}{SPAN}"})
    assert found == Carrier(event_id="turn-1", child_event_id="job-1", trace_id=TRACE, span_id=SPAN)
    found = read_carrier({"baggage": f"langsmith-metadata={metadata}", "langsmith-trace": f"{order}{OTHER_TRACE}"})
    assert found == Carrier(event_id="turn-1", child_event_id="job-1", trace_id=TRACE)


def _metadata(text: str) -> str:
    return f"langsmith-metadata={quote(text, safe='')}"


TWICE: Final = '{"raindrop-user-id": "ada", "raindrop-user-id": "eve"}'
CONTRADICTIONS: Final[dict[str, Pairs]] = {
    "in our own header": [(OWN, f"{IDS},raindrop-event-id=elsewhere")],
    "in baggage beside our own header": [*CARRIER.headers.items(), ("baggage", "raindrop-child-event-id=elsewhere")],
    "a user": [(OWN, f"{IDS},raindrop-user-id=ada,raindrop-user-id=eve")],
    "two traceparents": [*CARRIER.headers.items(), ("traceparent", REWRITTEN["traceparent"])],
    "two dotted orders": [*CARRIER.langsmith_headers.items(), ("langsmith-trace", f"20260101T0Z{OTHER_TRACE}")],
    "metadata and baggage": [("baggage", f"{IDS},{_metadata(json.dumps({'raindrop-event-id': 'elsewhere'}))}")],
    "inside metadata": [("baggage", f"{IDS},{_metadata(TWICE)}")],
}


@pytest.mark.parametrize("pairs", CONTRADICTIONS.values(), ids=CONTRADICTIONS)
def test_a_contradiction_is_refused(pairs: Pairs) -> None:
    """One field with two values is no carrier at all, in whichever order they come."""
    assert read_carrier(pairs) is None
    assert read_carrier(pairs[::-1]) is None


NONE: Final = {
    "nothing": "",
    "no launcher": "raindrop-child-event-id=job-1",
    "no child": "raindrop-event-id=turn-1",
    "a blank launcher": "raindrop-event-id=%20,raindrop-child-event-id=job-1",
    "no values": "raindrop-event-id=,raindrop-child-event-id=",
    "no entries": "raindrop-event-id,raindrop-child-event-id",
}


@pytest.mark.parametrize("text", NONE.values(), ids=NONE)
def test_half_a_carrier_is_none(text: str) -> None:
    """Both events have to be named."""
    assert read_carrier({OWN: text}) is None
    assert read_carrier({"baggage": text, "traceparent": CARRIER.headers["traceparent"]}) is None


@pytest.mark.parametrize("bad", ["0" * 16, "0" * 32, SPAN.upper(), TRACE.upper(), "xyz", f"{SPAN}0", "12", "%0A", "-"])
def test_invalid_ids_are_dropped(bad: str) -> None:
    """An id that is none is left out, and the link by the events stays."""
    expected = Carrier(event_id="turn-1", child_event_id="job-1", name="subagent")
    assert read_carrier({OWN: f"{IDS},raindrop-trace-id={bad},raindrop-dispatch-span-id={bad}"}) == expected
    assert read_carrier({"baggage": IDS, "traceparent": f"00-{bad}-{bad}-01"}) == expected
    assert read_carrier({"baggage": IDS, "langsmith-trace": f"{bad}.{bad}"}) == expected


def test_a_header_that_is_too_long_is_not_read() -> None:
    """Half a header could name another event: too long a baggage is as none, too long a header of ours refuses all."""
    long = "x" * 10_000
    assert read_carrier({"baggage": f"{IDS},{long}"}) is None
    assert read_carrier({**CARRIER.headers, "baggage": f"tenant={long}"}) == CARRIER
    assert read_carrier([("baggage", IDS), *[(OWN, f"{IDS},{long}")]]) is None
    assert read_carrier([*CARRIER.headers.items(), *[(OWN, "x" * 100)] * 100]) is None


# ---- whatever comes -------------------------------------------------------------------------------------------------


class _Hostile:
    """Raises for whatever it is asked."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(name)

    def __iter__(self) -> Any:
        raise OSError("no")

    def __str__(self) -> str:
        raise KeyError("no")


JUNK: Final[tuple[Any, ...]] = (
    None, 0, 1, "", "baggage", b"baggage", object(), [], [1], ["ab"], [("a",)], [(1, 2, 3)], {1: 2}, dict, Message,
    {"baggage": None}, {"baggage": {"a": 1}}, {_Hostile(): "x"}, {"baggage": _Hostile()}, _Hostile(), [_Hostile()],
    {"baggage": "langsmith-metadata=" + "[" * 8_000}, {"baggage": 'langsmith-metadata={"a":' + "[" * 8_000},
    {"baggage": "langsmith-metadata=[[%22raindrop-event-id%22]]"}, {"baggage": "%ff%fe=%"}, {OWN: b"\xff\xfe=\xff"},
)  # fmt: skip


@pytest.mark.parametrize("junk", JUNK, ids=[str(number) for number in range(len(JUNK))])
def test_junk_is_no_carrier(junk: Any) -> None:
    """What is no set of headers, or cannot be read, is no carrier and no error."""
    assert read_carrier(junk) is None


def test_junk_in_one_header_leaves_the_others() -> None:
    """Metadata that cannot be read and values that are no text cost themselves only."""
    for junk in ("langsmith-metadata=" + "[" * 8_000, "langsmith-metadata={", _Hostile(), None, 5):
        assert read_carrier({OWN: CARRIER.headers[OWN], "baggage": junk}) == CARRIER


words = st.sampled_from(
    [*IDS.replace(",", "=").split("="), "raindrop-trace-id", TRACE, "langsmith-metadata", '{"raindrop-event-id":"a"}']
)
values = st.lists(words | st.sampled_from(list(",=;%\r\n{}[]\"' -Z.")) | st.text(max_size=5)).map("".join)
names = st.sampled_from([OWN, "baggage", "traceparent", "langsmith-trace", "Baggage", "other"]) | st.text(max_size=9)
anything = st.recursive(
    st.none() | st.integers() | st.text(max_size=9) | st.binary(max_size=9) | values,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4) | st.tuples(names, inner),
    max_leaves=12,
)


@given(st.lists(st.tuples(names, values)) | st.dictionaries(names, values | st.lists(values)) | anything)
def test_nothing_that_arrives_raises(headers: Any) -> None:
    """Any headers and any junk are a carrier with two events, whose headers say the same again, or none."""
    found = read_carrier(headers)
    if found is not None:
        assert found.event_id.strip()
        assert found.child_event_id.strip()
        assert all(HTTP_VALUE.fullmatch(value) for value in found.headers.values())
        assert read_carrier(found.headers) == found
