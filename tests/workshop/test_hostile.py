"""Hostile input against the real server process: refused or shown harmlessly, nothing lost, the server stays up."""

from __future__ import annotations

import gzip
import json
import socket
import subprocess
import sys
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlsplit

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.workshop.wire_bodies import TRACE, ai_event, attributes, of_event, otlp, otlp_span

if TYPE_CHECKING:
    from collections.abc import Iterator

SERVE: Final = """
import sys
from raindrop_logging.workshop import serve
serve(
    0, ":memory:", open_browser=False, announce=lambda line: print(line, flush=True),
    request_seconds=float(sys.argv[1]),
)
"""
SCRIPT: Final = "\"'><script>alert(1)</script><img src=x onerror=alert(2)>{{7*7}}${7*7}</textarea>\u202e\u0000"
LANES: Final = ("/v1/events/track", "/v1/events/track_partial", "/v1/signals/track", "/v1/users/identify", "/v1/live")
INGEST: Final = (*LANES, "/v1/traces")
NO_HTTP: Final = "Invalid HTTP request received."
"""All that uvicorn says of garbage."""
HEAD: Final = b"POST /v1/events/track HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


@contextmanager
def _process(request_seconds: float = 60) -> Iterator[httpx.Client]:
    """A Workshop in a process of its own, which must be alive at the end and have reported no fault."""
    command = [sys.executable, "-c", SERVE, str(request_seconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        url = [server.stdout.readline() for _ in range(3)][1].split()[-1].removesuffix("/v1/")
        try:
            with httpx.Client(base_url=url, trust_env=False, timeout=30) as client:
                yield client
                assert client.get("/api/health").status_code == 200
            assert server.poll() is None
        finally:
            server.terminate()
            _, errors = server.communicate(timeout=20)
    assert set(errors.splitlines()) <= {NO_HTTP}


@pytest.fixture(scope="module")
def process() -> Iterator[httpx.Client]:
    """A client of the process that this module's tests share."""
    with _process() as client:
        yield client


@contextmanager
def _connected(client: httpx.Client, sent: bytes) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", urlsplit(str(client.base_url)).port or 0), timeout=20) as connection:
        connection.sendall(sent)
        yield connection


def _everything(connection: socket.socket) -> bytes:
    """All that comes until the server ends the connection."""
    pieces = []
    try:
        while piece := connection.recv(65_536):
            pieces.append(piece)
    except ConnectionResetError:
        pass
    return b"".join(pieces)


def _hostile_bodies() -> dict[str, Any]:
    attachment = {"type": "code", **dict.fromkeys(("value", "name", "role", "language", "attachment_id"), SCRIPT)}
    event = {
        **dict.fromkeys(("event_id", "user_id", "event"), SCRIPT),
        "ai_data": dict.fromkeys(("model", "input", "output", "convo_id"), SCRIPT),
        "properties": {SCRIPT: {SCRIPT: [SCRIPT]}, "trace_id": SCRIPT},
        "feature_flags": {SCRIPT: SCRIPT},
        "attachments": [attachment],
    }
    signal = {
        **dict.fromkeys(("event_id", "signal_name", "signal_type", "attachment_id"), SCRIPT),
        "properties": {SCRIPT: SCRIPT},
    }
    attrs = [
        *of_event(SCRIPT, traceloop__entity__name=SCRIPT, traceloop__entity__input=SCRIPT),
        *attributes(**{SCRIPT: SCRIPT}),
    ]
    return {
        "/v1/events/track": [event],
        "/v1/events/track_partial": event,
        "/v1/signals/track": signal,
        "/v1/users/identify": {"user_id": SCRIPT, "traits": {SCRIPT: SCRIPT}},
        "/v1/traces": otlp(otlp_span(attrs, name=SCRIPT, status={"code": 2, "message": SCRIPT})),
        "/v1/live": {"traceId": TRACE, "type": SCRIPT, "content": SCRIPT, "metadata": {"eventId": SCRIPT}},
    }


def test_markup_in_every_field(process: httpx.Client) -> None:
    """Script in every field and key comes back as the same text, in JSON that no browser takes for a page."""
    for path, body in _hostile_bodies().items():
        assert process.post(path, json=body, headers={"X-Raindrop-Project-Id": "<script>"}).status_code == 204
    answer = process.get(f"/api/events/{quote(SCRIPT, safe='')}")
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    event = answer.json()
    texts = [event[name] for name in ("event_id", "user_id", "event", "model", "input", "output", "convo_id")]
    texts += [event["signals"][0]["name"], event["spans"][0]["name"], event["spans"][0]["error"]]
    texts += [event["attachments"][0]["value"], event["properties"][SCRIPT][SCRIPT][0]]
    assert set(texts) == {SCRIPT}
    assert process.get(f"/api/users/{quote(SCRIPT, safe='')}").json()["traits"] == {SCRIPT: SCRIPT}
    for path in ("/api/events", "/", f"/events/{quote(SCRIPT, safe='')}"):
        assert process.get(path).status_code == 200
        assert "<script>alert" not in process.get(path).text or path.startswith("/api")


@pytest.mark.slow
def test_ten_megabytes(process: httpx.Client) -> None:
    """Ten megabytes of text, and as many of small events, are stored and told whole."""
    text = "漢<b>" * 2_000_000
    assert process.post("/v1/events/track", json=ai_event("big", ai_data={"input": text})).status_code == 204
    assert process.get("/api/events/big").json()["input"] == text
    many = [ai_event(f"many-{number}", properties={"pad": "x" * 600}) for number in range(10_000)]
    assert process.post("/v1/events/track", json=many).status_code == 204
    assert process.get("/api/events/many-9999").status_code == 200


@cache
def _bomb() -> bytes:
    return gzip.compress(b" " * 200_000_000, 1)


@pytest.mark.parametrize("path", INGEST)
def test_gzip_bombs(process: httpx.Client, path: str) -> None:
    """A small body that inflates to 200 MB, once or in layers, is answered 413 or 400, and not held in memory."""
    for body in (_bomb(), gzip.compress(_bomb())):
        answer = process.post(path, content=body, headers={"Content-Encoding": "gzip"})
        assert answer.status_code in (400, 413)


@pytest.mark.parametrize("path", INGEST)
def test_deep_json(process: httpx.Client, path: str) -> None:
    """JSON that is nested a hundred thousand deep, as itself or in a field, is answered 400 everywhere."""
    deep = b"[" * 100_000 + b"]" * 100_000
    for body in (deep, b'{"a":' * 100_000 + b"1" + b"}" * 100_000, b'{"properties": %s, "traits": 1}' % deep):
        answer = process.post(path, content=body)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_json")


def test_deep_protobuf(process: httpx.Client) -> None:
    """Protobuf that is nested deeper than its reader goes is answered 400."""
    from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue

    value = AnyValue(string_value="deep")
    for _ in range(40):
        value = AnyValue(array_value=ArrayValue(values=[value]))
    inner = KeyValue(key="k", value=value).SerializeToString()
    for _ in range(200):
        inner = b"\x0a" + _varint(len(inner)) + inner
    answer = process.post("/v1/traces", content=inner, headers={"Content-Type": "application/x-protobuf"})
    assert answer.status_code == 400


def _varint(number: int) -> bytes:
    low, rest = number & 0x7F, number >> 7
    return bytes([low | 0x80]) + _varint(rest) if rest else bytes([low])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
WHOLE: Final[dict[str, Any]] = {
    "/v1/events/track": ai_event(),
    "/v1/events/track_partial": ai_event(),
    "/v1/signals/track": {
        "event_id": "e", "signal_name": "s", "signal_type": "edit", "sentiment": "POSITIVE", "timestamp": 5,
        "properties": {"after": "x"}, "attachment_id": "a",
    },
    "/v1/users/identify": {"user_id": "u", "traits": {"a": 1}},
    "/v1/live": {"traceId": TRACE, "type": "status", "spanId": None, "content": "c", "timestamp": 5, "metadata": {}},
    "/v1/traces": otlp(otlp_span(events=[{"name": "exception", "attributes": []}])),
}  # fmt: skip


def _places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every value inside this one, itself included."""
    yield at
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, inner in steps:
        yield from _places(inner, (*at, step))


def _with(value: Any, way: tuple[Any, ...], put: Any) -> Any:
    if not way:
        return put
    inner = _with(value[way[0]], way[1:], put)
    if isinstance(value, dict):
        return {**value, way[0]: inner}
    return [inner if number == way[0] else item for number, item in enumerate(value)]


SPOTS: Final = [(path, way) for path, body in WHOLE.items() for way in _places(body)]


@pytest.mark.slow
@given(spot=st.sampled_from(SPOTS), put=JSON)
@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_value_anywhere(process: httpx.Client, spot: tuple[str, tuple[Any, ...]], put: Any) -> None:
    """Any JSON in any place of a body is stored, or refused with a field and a message: never a fault of the server."""
    path, way = spot
    body = json.dumps(_with(WHOLE[path], way, put))
    answer = process.post(path, content=body, headers={"Content-Type": "application/json"})
    if answer.status_code == 204:
        return
    told = answer.json()
    assert (answer.status_code, told["error"]) == (400, "invalid_body")
    assert told["field"]
    assert told["message"]


@pytest.mark.slow
@given(raw=st.binary(max_size=200), path=st.sampled_from(INGEST), encoding=st.sampled_from(["", "gzip", "deflate"]))
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_bytes(process: httpx.Client, raw: bytes, path: str, encoding: str) -> None:
    """Any bytes as a body, in either content type of spans, are answered with a 204 or a refusal."""
    for media in ("application/json", "application/x-protobuf"):
        headers = {"Content-Type": media, **({"Content-Encoding": encoding} if encoding else {})}
        assert process.post(path, content=raw, headers=headers).status_code in (204, 400)


@pytest.mark.parametrize(
    "event_id", ["..", "../../etc/passwd", "a/b", "%2e%2e", "%00", "\x00", "?#&", "a" * 5000, "é🎉"]
)
def test_odd_ids(process: httpx.Client, event_id: str) -> None:
    """An id may hold anything: it is stored, and found again by its own address."""
    assert process.post("/v1/events/track", json=ai_event(event_id, user_id=event_id)).status_code == 204
    for kind, key in (("events", "event_id"), ("users", "user_id")):
        with _connected(process, _get(f"/api/{kind}/{quote(event_id, safe='')}")) as connection:
            head, _, body = _everything(connection).partition(b"\r\n\r\n")
        # Dots are written as they are, so a router may take them for a step up: then nothing is found.
        if head.startswith(b"HTTP/1.1 200"):
            assert json.loads(body)[key] == event_id
        else:
            assert event_id.strip("./") == ""


@pytest.mark.parametrize(
    "target",
    [
        "/static/../store.py", "/static/..%2f..%2fstore.py", "/static/%2e%2e/%2e%2e/store.py", "/static/%00",
        "/static/....//store.py", "/static/\\..\\store.py", "//etc/passwd", "/%2e%2e/%2e%2e/etc/passwd",
        "/static/%c0%ae%c0%ae/store.py", "/api/traces/..%2f..%2fevents", "http://evil.example/", "*",
    ],
)  # fmt: skip
def test_path_tricks(process: httpx.Client, target: str) -> None:
    """A path that tries to leave its folder is answered without a file, whatever its spelling."""
    with _connected(process, _get(target)) as connection:
        answer = _everything(connection)
    assert answer.startswith((b"HTTP/1.1 404", b"HTTP/1.1 400", b"HTTP/1.1 200", b"HTTP/1.1 403"))
    assert b"import annotations" not in answer
    assert b"root:" not in answer


def _get(target: str, host: str = "localhost") -> bytes:
    return f"GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()


@pytest.mark.parametrize("path", [*INGEST, "/api/events", "/api/stream", "/api/live", "/api/openapi.json", "/", "/v1/"])
@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "127.0.0.1.evil.example"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Host": "evil.example", "Origin": "http://evil.example"},
    ],
    ids=["host", "host that begins well", "origin", "null origin", "both agree"],
)
def test_foreign_names_everywhere(process: httpx.Client, path: str, headers: dict[str, str]) -> None:
    """Whatever the route, a name that is not this machine's is answered 403, before the body is looked at."""
    method = "POST" if path in INGEST else "GET"
    answer = process.request(method, path, content=b"{", headers=headers)
    assert (answer.status_code, answer.json()["error"]) == (403, "forbidden")


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x00" * 1000,
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"a" * 500,
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
        HEAD + b"Content-Length: -1\r\n\r\n",
        HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n[]",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        HEAD + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n[]",
        b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X: y\r\n" * 50_000,
        _get("/api/health") + b"\xff\xfe garbage \r\n\r\n" * 100,
        HEAD + b"Content-Length: 2\r\n\r\n[]" + b"\x00garbage\r\n\r\n",
    ],
    ids=[
        "zeros", "tls", "version", "two hosts", "negative length", "two lengths", "no chunk", "both lengths",
        "long path", "many headers", "after an end", "pipelined",
    ],
)  # fmt: skip
def test_garbage(process: httpx.Client, garbage: bytes) -> None:
    """What is no HTTP, or follows a request as none, ends its own connection and no other."""
    with _connected(process, garbage) as connection:
        with suppress(OSError):  # it may be gone already
            connection.shutdown(socket.SHUT_WR)
        answer = _everything(connection)
    assert not answer or answer.startswith(b"HTTP/1.1 ")
    assert process.post("/v1/events/track", json=ai_event("after")).status_code == 204


@pytest.mark.slow
def test_connections_that_never_finish() -> None:
    """Fifty clients that stop in the midst of a head or a body keep nobody waiting, and are sent away in time."""
    unfinished = (b"", b"POST /v1/ev", HEAD, HEAD + b"Content-Length: 1000\r\n\r\n[")
    with _process(request_seconds=3) as client, ExitStack() as stack:
        hanging = [stack.enter_context(_connected(client, unfinished[number % 4])) for number in range(50)]
        for number in range(20):
            assert client.post("/v1/events/track", json=ai_event(f"e{number}")).status_code == 204
        ends = [_everything(connection) for connection in hanging]
        assert {end[:12] for end in ends} == {b"", b"HTTP/1.1 408"}
        assert sum(end != b"" for end in ends) == 50 // 4
        assert client.get("/api/health").json()["events"] == 20


@pytest.mark.slow
def test_a_second_request_that_never_finishes() -> None:
    """A connection that has answered once is sent away too when its next request stops midway."""
    whole = b"GET /api/health HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with _process(request_seconds=2) as client, _connected(client, whole) as connection:
        assert connection.recv(65_536).startswith(b"HTTP/1.1 200")
        connection.sendall(b"GET /api/he")
        assert _everything(connection).partition(b"HTTP/1.1 ")[2] == b""
