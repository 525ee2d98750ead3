"""Every place where a body of ours is not the body that the official Python SDK sent, and who asked for it.

Read as a list of decisions: the field, what the official SDK (0.0.75) puts there, what we put there, the reason, and
the line of the design or of the wire contract that asks for it.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from tests.wire.matching import ABSENT, ANYTHING, MICROSECONDS, WHOLE_SECONDS, Like


@dataclass(frozen=True)
class Difference:
    """One named decision.

    Args:
        name: how to speak of it.
        field: pattern of the paths that it is about.
        official: what the official SDK has there.
        ours: what we have there.
        reason: why.
        asked_by: the line that asks for it.
    """

    name: str
    field: str
    official: Any
    ours: Any
    reason: str
    asked_by: str

    def explains(self, path: str, official: Any, ours: Any) -> bool:
        """Whether this row is about a mismatch."""
        return fnmatchcase(path, self.field) and bool(self.official == official) and bool(self.ours == ours)


_TEXT = Like(r".*")
_ID = r"[0-9a-f]{8}-[0-9a-f-]{27}"
_ASSOCIATION = "span.attributes.traceloop.association.properties"

DIFFERENCES: tuple[Difference, ...] = (
    # ---- what every event carries
    Difference(
        "own library name",
        "body.properties.$context.library.*",
        _TEXT,
        _TEXT,
        "the dashboard must tell the two libraries apart",
        "contract 0, $context block",
    ),
    Difference(
        "context on partials too",
        "body.properties.$context.*",
        ABSENT,
        ANYTHING,
        "a partial is all the server may ever get of an interaction",
        "contract 11, partial content",
    ),
    Difference(
        "trace id on events",
        "body.properties.trace_id",
        ABSENT,
        Like(r"[0-9a-f]{32}"),
        "spans and event of one interaction find each other",
        "contract 11, trace of an interaction",
    ),
    Difference(
        "absent rather than null",
        "body.*",
        None,
        ABSENT,
        "null and absent may not mean the same to a strict schema",
        "contract 11, nulls",
    ),
    Difference(
        "absent rather than empty",
        "body.properties",
        {},
        ABSENT,
        "a signal without properties says nothing by an empty object",
        "contract 11, nulls",
    ),
    Difference(
        "microseconds",
        "body.timestamp",
        WHOLE_SECONDS,
        MICROSECONDS,
        "whole seconds lose the order within a second",
        "contract 11, timestamp",
    ),
    Difference(
        "one zone",
        "body.timestamp",
        Like(r".*[+-]\d\d:\d\d"),
        MICROSECONDS,
        "one instant has one text",
        "contract 11, timestamp",
    ),
    Difference(
        "no time without a zone",
        "body.timestamp",
        Like(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d"),
        MICROSECONDS,
        "a time without a zone is UTC, and says so",
        "contract 11, timestamp",
    ),
    Difference(
        "attachments can be named",
        "body.attachments.*.attachment_id",
        ABSENT,
        ANYTHING,
        "a signal can point at an attachment only by an id that was sent",
        "contract 1, attachment; design 2.1",
    ),
    Difference(
        "surrogates are replaced",
        "body.properties.x",
        "\ud800",
        Like("\ufffd+"),
        "half a surrogate pair is no Unicode text, and strict parsers refuse the whole request",
        "contract 11, size",
    ),
    # ---- interactions
    Difference(
        "short interactions are events: route",
        "path",
        Like(r".*/events/track_partial"),
        Like(r".*/events/track"),
        "what is complete before its first partial was due needs one element of a batch, not a request",
        "design 2.1; contract 11, complete events route",
    ),
    Difference(
        "short interactions are events: form",
        "form",
        "object",
        "array",
        "what is complete before its first partial was due needs one element of a batch, not a request",
        "design 2.1; contract 11, complete events route",
    ),
    Difference(
        "short interactions are events: state",
        "body.is_pending",
        False,
        ABSENT,
        "a complete event has no state",
        "contract 1, is_pending",
    ),
    Difference(
        "interactions have a time",
        "body.timestamp",
        ABSENT,
        MICROSECONDS,
        "the time of the begin, the same on every partial, instead of the server's time of arrival",
        "contract 11, partial content",
    ),
    Difference(
        "identity on every partial",
        "body.[ue]*",
        ABSENT,
        _TEXT,
        "a delta without user and event is lost if it arrives first or alone",
        "contract 11, partial content",
    ),
    Difference(
        "conversation on every partial",
        "body.ai_data.convo_id",
        ABSENT,
        _TEXT,
        "a delta without its conversation is lost if it arrives first or alone",
        "contract 11, partial content",
    ),
    Difference(
        "finals are whole: texts",
        "body.ai_data.[im]*",
        ABSENT,
        _TEXT,
        "the final says everything again, so it is right whatever was lost before it",
        "contract 11, partial content",
    ),
    Difference(
        "finals are whole: properties",
        "body.properties.[abi]",
        ABSENT,
        ANYTHING,
        "the final says everything again, so it is right whatever was lost before it",
        "contract 11, partial content",
    ),
    Difference(
        "late changes stay final",
        "body.is_pending",
        True,
        False,
        "an event that was closed must not look open again",
        "contract 11, order",
    ),
    Difference(
        "busy interactions are seen: early",
        "body.properties.i",
        7,
        ABSENT,
        "the first partial does not wait for the last change",
        "design 2.1",
    ),
    Difference(
        "attachments add up: first",
        "body.attachments.0.value",
        "A2",
        Like("A[01]"),
        "a later attachment does not take the place of an earlier one",
        "contract 11, partial content",
    ),
    Difference(
        "attachments add up: more",
        "body.attachments.[12].*",
        ABSENT,
        _TEXT,
        "a later attachment does not take the place of an earlier one",
        "contract 11, partial content",
    ),
    Difference(
        "no update is lost",
        "body.properties.k[0-7]_*",
        ABSENT,
        ANYTHING,
        "threads that set properties of one interaction do not undo each other",
        "design 4.1",
    ),
    Difference(
        "closed without an answer",
        "item",
        ABSENT,
        "POST /v1/events/track_partial evt-noout, final",
        "an interaction whose input was sent is closed even if no answer came",
        "contract 11, empty final",
    ),
    Difference(
        "busy interactions are seen",
        "item",
        ABSENT,
        "POST /v1/events/track_partial evt-busy, pending",
        "a partial is due after an interval, not after a silence; an interaction that never rests is seen too",
        "design 2.1",
    ),
    Difference(
        "one bad field costs its record",
        "item",
        "POST /v1/events/track_partial badprops, final",
        ABSENT,
        "a finish with a field of the wrong type is counted and named, not sent without it",
        "design 4.3",
    ),
    Difference(
        "a finish names its event",
        "item",
        Like(rf"POST /v1/events/track_partial {_ID}, final"),
        ABSENT,
        "a finish without an event id would make an event of nobody",
        "design 2.1",
    ),
    Difference(
        "never pending after final",
        "item",
        "POST /v1/events/track_partial evt-ooo, pending",
        ABSENT,
        "a retried pending partial goes out before the final or not at all",
        "contract 11, order",
    ),
    # ---- signals and users
    Difference(
        "objects where the route is for one",
        "form",
        "array",
        "object",
        "the documented body of users/identify is one object, and a partial never stands in an array",
        "contract 11, identify body; contract 2",
    ),
    Difference(
        "a bad value costs its own text",
        "item",
        ABSENT,
        "POST /v1/users/identify",
        "what JSON cannot say becomes a marked text, and nothing behind it is lost",
        "design 4.1",
    ),
    Difference(
        "traits are bounded",
        "body.traits.p",
        Like(r".*<3000000 chars total>.*"),
        Like(r".*\.\.\.\[truncated by raindrop\]"),
        "one text of a trait is capped as every other text",
        "contract 11, size",
    ),
    Difference(
        "nothing too large is dropped",
        "item",
        ABSENT,
        Like(r"POST /v1/(events/track (in\+out|cjk|emoji|prop)|signals/track evt1)"),
        "a text is shortened until the event fits; the official SDK drops the event",
        "contract 11, size",
    ),
    Difference(
        "signals follow their event",
        "after_its_event",
        False,
        True,
        "a signal about an event that is not there yet may be thrown away",
        "design 2.1; contract 11, order",
    ),
    Difference(
        "retries go on",
        "item",
        ABSENT,
        Like(rf"POST /v1/(events/track {_ID}|events/track_partial evt-ooo, pending|traces t)"),
        "what the server did not take for a reason of its own is sent until it does",
        "contract 11, retries",
    ),
    Difference(
        "redirects are not followed",
        "item",
        Like(r"(POST|GET) /v1/elsewhere.*"),
        ABSENT,
        "a redirect may turn the POST into a GET, loop, or show the key to another host",
        "contract 11, retries",
    ),
    Difference(
        "a set-up that cannot work is refused",
        "item",
        Like(r"POST /v1/events/track .*"),
        ABSENT,
        "a key that no header can carry and a project id against the rule are refused when logging is configured",
        "design 2.3",
    ),
    Difference(
        "netrc is never read",
        "headers.Authorization",
        "Basic",
        "Bearer",
        "a file of another program must not replace the write key",
        "design 2.3, proxy and verify",
    ),
    Difference(
        "spans keep the path prefix",
        "path",
        "/v1/traces",
        "/proxy/raindrop/v1/traces",
        "a gateway in front of the cloud is in front of spans too",
        "design 2.3, endpoint",
    ),
    Difference(
        "the Workshop shows partials: route",
        "path",
        "/ws/v1/events/track",
        "/ws/v1/events/track_partial",
        "the vendor's Workshop takes complete events and shows none of them",
        "contract 11, complete events route; design 2.3, workshop",
    ),
    Difference(
        "the Workshop shows partials: state",
        "body.is_pending",
        ABSENT,
        False,
        "the vendor's Workshop takes complete events and shows none of them",
        "contract 11, complete events route; design 2.3, workshop",
    ),
    Difference(
        "the Workshop sees spans",
        "item",
        ABSENT,
        Like(r"POST /ws/v1/traces \w+"),
        "the mirror gets every lane, and without a key the Workshop is the destination of every lane",
        "design 2.3, workshop",
    ),
    # ---- spans
    Difference(
        "whole milliseconds",
        "span.attributes.traceloop.entity.duration_ms",
        ANYTHING,
        ANYTHING,
        "the duration is a whole number",
        "contract 5, tool attributes",
    ),
    Difference(
        "span names as given",
        "span.name",
        Like(r".*\.(tool|task|workflow)"),
        _TEXT,
        "the kind is an attribute, not a suffix",
        "contract 11, span names / I/O",
    ),
    Difference(
        "own scope",
        "span.scope",
        _TEXT,
        "raindrop-logging",
        "the scope names the library that made the span",
        "contract 5, scope",
    ),
    Difference(
        "a service with a name",
        "span.resource.service.name",
        _TEXT,
        "raindrop-logging",
        "a service name is configured, not read from the command line",
        "design 2.3, service_name",
    ),
    Difference(
        "a service with a version",
        "span.resource.service.version",
        ABSENT,
        _TEXT,
        "as the Go and Rust clients do",
        "contract 5, resource",
    ),
    Difference(
        "no facts of the tracer",
        "span.resource.[ts]*",
        _TEXT,
        ABSENT,
        "spans are made from records; no tracer and no instance stands behind them",
        "contract 5, resource",
    ),
    Difference(
        "one trace an interaction",
        "span.trace",
        Like(r"t\d+"),
        Like(r"t\d+"),
        "spans of one event share the trace that follows from its id",
        "contract 11, trace of an interaction",
    ),
    Difference(
        "ok is said",
        "span.status.code",
        "UNSET",
        "OK",
        "a span that ended well says so",
        "contract 5, ok status",
    ),
    Difference(
        "input as it is",
        "span.attributes.traceloop.entity.input",
        Like(r'\{"args": .*\}'),
        _TEXT,
        "texts go raw and the rest as JSON, without an invented call around it",
        "contract 11, span names / I/O",
    ),
    Difference(
        "output as it is",
        "span.attributes.traceloop.entity.output",
        Like(r'".*"'),
        _TEXT,
        "texts go raw, without quotes",
        "contract 11, span names / I/O",
    ),
    Difference(
        "every span has its duration",
        "span.attributes.traceloop.entity.duration_ms",
        ABSENT,
        ANYTHING,
        "a reader without the clock of the span still sees how long it took",
        "contract 5, tool attributes",
    ),
    Difference(
        "event name for readers of `event_name`",
        f"{_ASSOCIATION}.event_name",
        ABSENT,
        _TEXT,
        "readers look for `event_name`, the SDK writes `event`: both are there",
        "contract 11, association",
    ),
    Difference(
        "event id for readers of telemetry metadata",
        "span.attributes.ai.telemetry.metadata.raindrop.eventId",
        ABSENT,
        _TEXT,
        "the name that the other clients write",
        "contract 11, association",
    ),
    Difference(
        "canonical names",
        "span.attributes.raindrop.[!p]*",
        ABSENT,
        _TEXT,
        "the vendor's own namespace, beside the historical ones",
        "contract 11, association",
    ),
    Difference(
        "operation of the span",
        "span.attributes.ai.operationId",
        ABSENT,
        Like(r"ai\.(toolCall|generateText)"),
        "the server keeps only spans that show an operation",
        "contract 11, association",
    ),
    Difference(
        "tool name",
        "span.attributes.gen_ai.tool.name",
        ABSENT,
        _TEXT,
        "every tool says its name in the common convention, not only decorated ones",
        "contract 5, span names and attributes",
    ),
    Difference(
        "tool input and output",
        "span.attributes.ai.toolCall.*",
        ABSENT,
        _TEXT,
        "the names that the vendor's fixtures use for what a tool took and gave",
        "contract 5, tool I/O in the fixtures",
    ),
    Difference(
        "no workflow around spans that have none",
        "span.attributes.traceloop.workflow.name",
        _TEXT,
        ABSENT,
        "the parent says it",
        "contract 5, span names and attributes",
    ),
    Difference(
        "no path of names",
        "span.attributes.traceloop.entity.path",
        _TEXT,
        ABSENT,
        "the parent says it",
        "contract 5, span names and attributes",
    ),
    Difference(
        "one exception event",
        "span.events.1.*",
        _TEXT,
        ABSENT,
        "one failure is told once",
        "contract 12, T19",
    ),
    Difference(
        "a message without its type",
        "span.status.message",
        Like(r"\w+: .*"),
        _TEXT,
        "the type stands in the exception event",
        "contract 12, T19",
    ),
    Difference(
        "no escaped flag",
        "span.events.*.attributes.exception.escaped",
        "False",
        ABSENT,
        "OpenTelemetry has deprecated it, and no reader of it is known",
        "contract 5, error status",
    ),
    Difference(
        "no invented stack",
        "span.events.*.attributes.exception.stacktrace",
        Like(r"\w+: .*\n"),
        ABSENT,
        "an error given as a message has no stack",
        "contract 5, error status",
    ),
    Difference(
        "no invented type",
        "span.events.*.attributes.exception.type",
        "Exception",
        ABSENT,
        "an error given as a message has no type",
        "contract 5, error status",
    ),
    Difference(
        "model span: words",
        "span.attributes.ai.[mpr]*",
        ABSENT,
        _TEXT,
        "a model span says model, prompt and answer in every spelling a reader looks for",
        "contract 5, llm attributes",
    ),
    Difference(
        "model span: kind and name",
        "span.attributes.traceloop.[se]*",
        ABSENT,
        _TEXT,
        "a model span has kind and name as every other",
        "contract 5, llm attributes",
    ),
    Difference(
        "usage in its present names",
        "span.attributes.gen_ai.usage.*_tokens",
        ANYTHING,
        ABSENT,
        "the official SDK adds the present names to the historical ones; the present ones suffice",
        "contract 5, llm attributes",
    ),
    Difference(
        "messages by themselves",
        "span.attributes.gen_ai.prompt.0.content",
        Like(r"\[.*\]"),
        _TEXT,
        "each message of the prompt is one pair of role and content",
        "contract 5, llm attributes",
    ),
    Difference(
        "one model name",
        "span.attributes.gen_ai.response.model",
        _TEXT,
        _TEXT,
        "a record names one model, and usage counts only beside a response model",
        "contract 5, token usage",
    ),
)


def same(official: Any, ours: Any) -> bool:
    """Whether two leaves say the same, chance and the run's own clock and Python left aside."""
    if isinstance(official, bool) or isinstance(ours, bool):
        return official is ours
    if not isinstance(official, str) or not isinstance(ours, str):
        return type(official) is type(ours) and bool(official == ours)
    if official == ours or any(kind.fullmatch(official) and kind.fullmatch(ours) for kind in _OF_THE_RUN):
        return True
    if official[:1] in ("{", "[") and official[:1] == ours[:1]:
        return bool(json.loads(official) == json.loads(ours))
    return _is_short_for(official, ours)


_OF_THE_RUN = (
    re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"),
    re.compile(r"[0-9a-f]{32}"),
    re.compile(r"v3\.\d+\.\d+"),
    re.compile(r"Traceback \(most recent call last\):\n.*", re.DOTALL),
)
_SHORTENED = re.compile(r"(.*)\u2026<(\d+) chars total>\u2026(.*)", re.DOTALL)


def _is_short_for(official: str, ours: str) -> bool:
    """The recordings keep only the ends of long texts, and their length."""
    shortened = _SHORTENED.fullmatch(official)
    if shortened is None:
        return False
    start, length, end = shortened.groups()
    return len(ours) == int(length) and ours.startswith(start) and ours.endswith(end)
