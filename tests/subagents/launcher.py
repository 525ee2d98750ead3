"""A service whose turn hands jobs to another one, through an HTTP client that OpenTelemetry has instrumented.

In:  the address of the receiver, that of the other service, and the jobs; the last one is never sent.
Out: one line of JSON: the turn's event, its trace and baggage at OpenTelemetry, and of each job the two ids of its
     launch, the headers that were handed to the client, and what the other service answered.
"""

from __future__ import annotations

import json
import logging.config
import sys
from typing import Any, Final

import httpx
from opentelemetry import baggage, context, trace
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.sdk.trace import TracerProvider

import raindrop_logging

STALE: Final = {"tenant": "acme", "raindrop-event-id": "grandparent", "raindrop-child-event-id": "someone-else"}
"""Baggage of the request that this turn answers: OpenTelemetry passes it on, whoever it once was about."""


def main(endpoint: str, service: str, *jobs: str) -> None:
    """One turn that launches all jobs and goes on without them."""
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
    HTTPXClientInstrumentor().instrument()
    for key, value in STALE.items():
        context.attach(baggage.set_baggage(key, value))
    turn = raindrop_logging.begin(user_id="ada", event="support_turn", input="Find me teapots", convo_id="convo-1")
    with trace.get_tracer("shop").start_as_current_span("request") as request, httpx.Client(trust_env=False) as client:
        told = [_launch(turn, client, service, job, is_sent=job != jobs[-1]) for job in jobs]
        trace_id = f"{request.get_span_context().trace_id:032x}"
    turn.finish("They are being looked for.")
    raindrop_logging.flush(10)
    otel = {"trace_id": trace_id, "baggage": STALE}
    print(json.dumps({"event_id": turn.id, "otel": otel, "jobs": dict(zip(jobs, told, strict=True))}))  # noqa: T201


def _launch(
    turn: raindrop_logging.Interaction, client: httpx.Client, service: str, job: str, *, is_sent: bool
) -> dict[str, Any]:
    carrier = turn.subagent(name=f"{job} agent", input=job)
    answer = client.post(f"{service}/{job}", headers=carrier.headers).raise_for_status().json() if is_sent else None
    ids = {"event_id": carrier.child_event_id, "span_id": carrier.span_id}
    return {**ids, "sent": carrier.headers, "answer": answer}


if __name__ == "__main__":
    main(*sys.argv[1:])
