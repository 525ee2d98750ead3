"""A service that takes jobs over HTTP and works on each in a run of its own, each of which ends in another way.

In:  the address of the receiver; ``POST /finish``, ``/raise``, ``/cancel`` and ``/hang``.
Out: its port as the first line; the headers of each job, and its trace at OpenTelemetry, as JSON in an answer that
     comes before the work.
"""

from __future__ import annotations

import asyncio
import json
import logging.config
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from opentelemetry import propagate, trace
from opentelemetry.sdk.trace import TracerProvider

import raindrop_logging
from raindrop_logging import SubagentRun


def finish(run: SubagentRun) -> None:
    """Find something."""
    run.finish("a green teapot")


def fail(_: SubagentRun) -> None:
    """Find nothing, and say so by an exception."""
    raise LookupError("no teapot anywhere")


def cancel(_: SubagentRun) -> None:
    """Work in a task that is cancelled."""

    async def work() -> None:
        task = asyncio.current_task()
        assert task is not None
        asyncio.get_running_loop().call_soon(task.cancel)
        await asyncio.Event().wait()

    asyncio.run(work())


def hang(_: SubagentRun) -> None:
    """Say what is known by now, and nothing more, ever."""
    raindrop_logging.flush(10)
    threading.Event().wait()


WORK: Final = {"/finish": finish, "/raise": fail, "/cancel": cancel, "/hang": hang}


class Jobs(BaseHTTPRequestHandler):
    """Accepts a job, then does it."""

    def do_POST(self) -> None:
        """Work inside the trace that the headers continue, as an instrumented server does."""
        headers = {name.lower(): value for name, value in self.headers.items()}
        with trace.get_tracer("jobs").start_as_current_span("request", context=propagate.extract(headers)) as request:
            self._accept({"headers": headers, "otel_trace_id": f"{request.get_span_context().trace_id:032x}"})
            with raindrop_logging.resume_subagent(self.headers, input=self.path) as run:
                with raindrop_logging.tool_span("look around"):
                    pass
                WORK[self.path](run)

    def _accept(self, answer: dict[str, Any]) -> None:
        body = json.dumps(answer).encode()
        self.send_response(202)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()


def main(endpoint: str) -> None:
    """Serve until the process is killed."""
    logging.config.dictConfig(
        {
            "version": 1,
            "handlers": {
                "raindrop": {"class": "raindrop_logging.RaindropHandler", "write_key": "k", "endpoint": endpoint}
            },
            "root": {"level": "INFO", "handlers": ["raindrop"]},
        }
    )
    trace.set_tracer_provider(TracerProvider())
    with ThreadingHTTPServer(("127.0.0.1", 0), Jobs) as server:
        print(server.server_address[1], flush=True)  # noqa: T201
        server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
