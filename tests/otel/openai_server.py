"""OpenAI's HTTP API as far as the tests need it, on loopback; the real `openai` client talks to it.

In:  ``POST /v1/chat/completions``, plain and streaming.
Out: a scripted sequence of `Reply`s; what was asked stays in `OpenAiServer.asked`.
"""

from __future__ import annotations

import json
import re
import threading
from collections import deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Iterable

MODEL = "gpt-4o-mini"
ANSWERING_MODEL = "gpt-4o-mini-2024-07-18"


@dataclass(frozen=True, slots=True)
class Reply:
    """What the model says to one request: a text or tool calls, else an error of the service.

    Args:
        calls: pairs of a function's name and its arguments.
        usage: tokens in and out.
    """

    text: str | None = None
    calls: tuple[tuple[str, dict[str, Any]], ...] = ()
    usage: tuple[int, int] = (11, 7)
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def finish_reason(self) -> str:
        """Why the model stopped, as the API says it."""
        return "tool_calls" if self.calls else "stop"

    def message(self) -> dict[str, Any]:
        """The assistant's message."""
        said: dict[str, Any] = {"role": "assistant", "content": self.text}
        return said | ({"tool_calls": self._calls()} if self.calls else {})

    def _calls(self) -> list[dict[str, Any]]:
        return [
            {"id": f"call_{n}", "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
            for n, (name, arguments) in enumerate(self.calls)
        ]

    def counted(self) -> dict[str, Any]:
        """The usage, as the API says it."""
        tokens_in, tokens_out = self.usage
        counts = {"prompt_tokens": tokens_in, "completion_tokens": tokens_out, "total_tokens": tokens_in + tokens_out}
        return {
            **counts,
            "prompt_tokens_details": {"cached_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0},
        }

    def body(self) -> dict[str, Any]:
        """The whole answer of a request without streaming."""
        if self.status >= 400:
            return {"error": {"message": f"made up for a test: {self.status}", "type": "made_up", "code": None}}
        choice = {"index": 0, "message": self.message(), "finish_reason": self.finish_reason}
        return {**_head("chat.completion"), "choices": [choice], "usage": self.counted()}

    def chunks(self, *, with_usage: bool) -> Iterable[dict[str, Any]]:
        """The pieces of a streamed answer, a word at a time; the usage comes last, where it was asked for."""
        yield self._chunk({"role": "assistant", "content": None if self.text is None else ""}, None)
        for word in re.findall(r"\S+\s*", self.text or ""):
            yield self._chunk({"content": word}, None)
        for number, call in enumerate(self._calls()):
            yield from self._call_in_pieces(number, call)
        yield self._chunk({}, self.finish_reason)
        if with_usage:
            yield {**_head("chat.completion.chunk"), "choices": [], "usage": self.counted()}

    def _call_in_pieces(self, number: int, call: dict[str, Any]) -> Iterable[dict[str, Any]]:
        """The function's name first, then its arguments, cut in two."""
        name, text = call["function"]["name"], call["function"]["arguments"]
        opening = {**call, "index": number, "function": {"name": name, "arguments": ""}}
        yield self._chunk({"tool_calls": [opening]}, None)
        for piece in (text[: len(text) // 2], text[len(text) // 2 :]):
            yield self._chunk({"tool_calls": [{"index": number, "function": {"arguments": piece}}]}, None)

    def _chunk(self, delta: dict[str, Any], reason: str | None) -> dict[str, Any]:
        return {**_head("chat.completion.chunk"), "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}


def _head(kind: str) -> dict[str, Any]:
    return {"id": "chatcmpl-1", "object": kind, "created": 1_790_000_000, "model": ANSWERING_MODEL}


class OpenAiServer:
    """The server; starts at once, stops at the end of a ``with``. Each request takes the next reply of the script."""

    def __init__(self, *script: Reply) -> None:
        self.asked: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self._script = deque(script)
        self._server = _Server(("127.0.0.1", 0), _Exchange)
        self._server.owner = self
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, name="openai", daemon=True
        )
        self._thread.start()

    @property
    def base_url(self) -> str:
        """What the client is given as its ``base_url``."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def script(self, *replies: Reply) -> None:
        """Append replies."""
        self._script.extend(replies)

    def answer(self, asked: dict[str, Any], headers: dict[str, str]) -> Reply:
        """Write down a request, and take the next reply; without one it is the caller's mistake, said as such."""
        self.asked.append(asked)
        self.headers.append(headers)
        return self._script.popleft() if self._script else Reply(status=418)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    owner: OpenAiServer


class _Exchange(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        reply = self.server.owner.answer(asked, {key.lower(): value for key, value in self.headers.items()})
        streams = asked.get("stream", False) and reply.status < 400
        self.send_response(reply.status)
        self.send_header("Content-Type", "text/event-stream" if streams else "application/json")
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.end_headers()
        if not streams:
            self.wfile.write(json.dumps(reply.body()).encode())
            return
        for chunk in reply.chunks(with_usage=(asked.get("stream_options") or {}).get("include_usage", False)):
            self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
            self.wfile.flush()
        self.wfile.write(b"data: [DONE]\n\n")

    def log_message(self, *_: Any) -> None:
        """What was asked is kept; nothing is printed."""
