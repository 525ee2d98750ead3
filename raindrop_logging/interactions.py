"""The official SDKs' verbs, each of them one log record: begin, update, finish, track, signal, identify.

    interaction = begin(user_id="u1", event="agent_run", input=question)
    interaction.set_property("region", "eu")
    interaction.finish(output=answer)

Nothing here talks to the network or raises for what it is given: a record that breaks a rule of
`raindrop_logging.vocabulary` is counted and named where it is sent. Positional order is that of the official Python
documentation. Ids and names that are no text are said as their text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Self, Unpack

from raindrop_logging import context
from raindrop_logging.carrier import TOOL_EVENTS, Carrier, dispatched
from raindrop_logging.context import AnyLogger, Scope, Turn, enter, here, open_turn, remember
from raindrop_logging.identifiers import mint_bits, uuid_text
from raindrop_logging.plain import error_text, label, text_of
from raindrop_logging.record import say
from raindrop_logging.span import Time, root_turn
from raindrop_logging.tracing import Spans, offered
from raindrop_logging.vocabulary import (
    AttachmentDict,
    RecordType,
    Sentiment,
    SignalType,
    UpdateDict,
)

Properties = Mapping[str, Any]
Attachments = Sequence[AttachmentDict]
Tools = Sequence[Any]


class Interaction(Spans):
    """One question and what became of it; made by `begin` and `resume_interaction`.

    Any thread and any task may use it, at the same time: each call is a log record of its own, and they are put
    together where they are sent. Every record repeats user, event and conversation, so that each is whole enough to
    be sent by itself. As a context manager it finishes itself, with what was raised inside as ``properties.error``.
    """

    def __init__(self, turn: Turn) -> None:
        """Use `begin` or `resume_interaction`."""
        super().__init__(lambda _scope: turn)
        self._turn = turn

    @property
    def id(self) -> str:
        """The event_id; what a signal names later."""
        return self._turn.event_id

    @property
    def event_id(self) -> str:
        """The event_id."""
        return self._turn.event_id

    @property
    def trace_id(self) -> str:
        """The one trace of all its spans (32 hex digits), and ``properties.trace_id`` of its event."""
        return self._turn.trace_id

    @property
    def finished(self) -> bool:
        """Whether it was finished, here or through another handle of this process."""
        return self._turn.finished

    def set_input(self, text: str) -> None:
        """What the user said, in place of what was said before."""
        _say(self._turn, "update", {"input": text})

    def set_model(self, model: str) -> None:
        """The model that answers."""
        _say(self._turn, "update", {"model": model})

    def set_property(self, key: str, value: Any) -> None:
        """One property."""
        _say(self._turn, "update", {"properties": {text_of(key, str): value}})

    def set_properties(self, properties: Properties) -> None:
        """More properties, merged key by key."""
        _say(self._turn, "update", {"properties": properties})

    def add_attachments(self, attachments: Attachments) -> None:
        """More attachments."""
        _say(self._turn, "update", {"attachments": attachments})

    def set_tools(self, tools: Tools) -> None:
        """What the models of this interaction are offered from now on: each of its model spans says so.

        Definitions in OpenAI's, Anthropic's or Raindrop's own shape; an empty list says that there are none.
        """
        said = offered(tools)
        if said is not None:
            self._turn.tools = said

    def update(self, **fields: Unpack[UpdateDict]) -> None:
        """Several fields at once; see `raindrop_logging.extra.update`."""
        self._learn(fields)
        _say(self._turn, "update", fields)

    def finish(self, output: str | None = None, **fields: Unpack[UpdateDict]) -> None:
        """The answer is there, and nothing more is expected; finishing again, or a later change, revises it.

        Args:
            output: what the model answered.
            fields: any other field of the event; see `raindrop_logging.extra.finish`.
        """
        self._learn(fields)
        _say(self._turn, "finish", {**fields, "output": output})
        context.finish(self._turn)

    def subagent(
        self,
        name: str = "subagent",
        *,
        input: Any = None,  # noqa: A002 -- the official SDKs' name
        child_event_id: str | None = None,
        tool_name: str = "launch_subagent",
        properties: Properties | None = None,
    ) -> Carrier:
        """Say that a job is handed to an agent elsewhere, which reports as an event of its own.

        Nothing is sent to it: put the carrier's `headers` into the request or the message that starts the job, and let
        it begin with `raindrop_logging.resume_subagent`.

        Args:
            name: of the sub-agent.
            input: what it is asked to do.
            child_event_id: the id of its event; made where absent.
            tool_name: of the tool span that records the launch.
            properties: of that span.
        """
        self.allow_tool_events()
        name = label(name) or "subagent"
        child = label(child_event_id) or uuid_text(mint_bits(128))
        tool = label(tool_name) or "launch_subagent"
        span = self.tool_span(tool, input=input, properties=properties, attributes=dispatched(child, name))
        span.record_output({"jobId": child, "status": "accepted"})
        span.end()
        return Carrier(
            trace_id=span.trace_id,
            span_id=span.span_id,
            event_id=self.id,
            child_event_id=child,
            name=name,
            convo_id=self._turn.convo_id,
            user_id=self._turn.user_id,
        )

    def allow_tool_events(self) -> None:
        """Have an event made of a turn that only calls tools; `subagent` does so by itself."""
        self._turn.attributes = {**self._turn.attributes, **TOOL_EVENTS}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _type: object, error: BaseException | None, _traceback: object) -> None:
        if not self._turn.finished:
            _say(self._turn, "finish", {}, None if isinstance(error, GeneratorExit) else error)
            context.finish(self._turn)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        self.__exit__(kind, error, traceback)

    def _learn(self, fields: Mapping[str, Any]) -> None:
        """Take over who it is with, for the records to come."""
        told = {key: fields[key] for key in _WHOSE if fields.get(key) is not None}
        if told:
            know(self._turn, NOTHING_BOUND, event_id=None, **told)

    def __repr__(self) -> str:
        return f"<Interaction {self.id}{' finished' if self.finished else ''}>"


def begin(  # noqa: PLR0917 -- the official order
    user_id: str | None = None,
    event: str | None = None,
    event_id: str | None = None,
    properties: Properties | None = None,
    input: str | None = None,  # noqa: A002 -- the official SDKs' name
    attachments: Attachments | None = None,
    convo_id: str | None = None,
    model: str | None = None,
    *,
    timestamp: Time | None = None,
    feature_flags: Mapping[str, str] | None = None,
    tools: Tools | None = None,
    logger: AnyLogger | None = None,
) -> Interaction:
    """Open an interaction; until it is finished, it is what spans, signals and updates around here are about.

    One of this id that this process has begun already goes on, and is what is returned.

    Args:
        user_id, event: whose it is and what; needed, here or bound.
        event_id: made where absent.
        properties, input, attachments, convo_id, model, timestamp, feature_flags: what is known by now.
        tools: what its models are offered; see `Interaction.set_tools`.
        logger: where its records go; the logger ``raindrop`` by default.
    """
    scope = here().now()
    known = open_turn(label(event_id))
    turn = known or (scope.turn if scope.turn is not None and scope.turn.claim() else None)
    if turn is None:
        turn = root_turn(scope, label(event_id))
    if turn is not scope.turn:
        enter(scope.inside(turn))
    know(turn, scope, event_id=event_id, user_id=user_id, event=event, convo_id=convo_id)
    if logger is not None:
        turn.logger = logger
    if tools is not None:
        Interaction(turn).set_tools(tools)
    return opened(
        turn,
        properties=properties,
        input=input,
        attachments=attachments,
        model=model,
        timestamp=timestamp,
        feature_flags=feature_flags,
    )


def opened(turn: Turn, **fields: Any) -> Interaction:
    """The handle of an interaction that has been told its ids, once it has said that it begins.

    Args:
        turn: it.
        fields: what its begin says.
    """
    _say(turn, "begin", fields)
    return Interaction(turn)


def _say(
    turn: Turn,
    record_type: RecordType,
    fields: Mapping[str, Any],
    error: BaseException | None = None,
) -> None:
    block = {**fields, **turn.ids(), "type": record_type}
    if error is not None:
        block["properties"] = {"error": error_text(error)}
    around = Scope({**here().bound(), "trace_id": turn.trace_id})
    say(turn.logger, block, around, "%s %s", record_type, turn.event_id)


def resume_interaction(event_id: str | None = None, *, logger: AnyLogger | None = None) -> Interaction:
    """The interaction of this id, where this process has begun it; without an id, the one that is open around here.

    Where there is none such, a new handle: of that id, for the interaction that another process has begun, or of an
    id of its own.

    Args:
        event_id: `Interaction.id`.
        logger: where its records go from now on; as it was, if None.
    """
    scope = here()
    known = label(event_id)
    turn = scope.open()[0] if known is None else open_turn(known)
    if turn is None or turn.is_apart:
        turn = root_turn(scope, known)
    if not turn.begun:
        know(turn, scope, event_id=event_id, user_id=None, event=None, convo_id=None)
    if logger is not None:
        turn.logger = logger
    return Interaction(turn)


_WHOSE: Final = ("user_id", "event", "convo_id")


def know(turn: Turn, scope: Scope, *, event_id: Any, **given: Any) -> None:
    """Say whose an interaction is: as given, else as it was said before, else as bound; it is found by its id then."""
    said = {key: label(given.get(key)) or getattr(turn, key) or scope.fields.get(key) for key in _WHOSE}
    turn.begin(event_id=label(event_id), **said)
    if not turn.finished:
        remember(turn)


NOTHING_BOUND: Final = Scope()


# ---- single records ------------------------------------------------------------------------------------------------


def track_ai(  # noqa: PLR0917 -- the official order
    user_id: str | None = None,
    event: str | None = None,
    event_id: str | None = None,
    model: str | None = None,
    input: str | None = None,  # noqa: A002 -- the official SDKs' name
    output: str | None = None,
    convo_id: str | None = None,
    properties: Properties | None = None,
    timestamp: Time | None = None,
    attachments: Attachments | None = None,
    *,
    feature_flags: Mapping[str, str] | None = None,
    logger: AnyLogger | None = None,
) -> str:
    """A complete AI event: one question, one answer.

    Args:
        user_id, event: needed, here or bound.
        input, output: at least one of them.
        event_id, model, convo_id, properties, timestamp, attachments, feature_flags: see
            `raindrop_logging.extra.ai`.
        logger: where the record goes; the logger ``raindrop`` by default.

    Returns:
        the event_id, for signals.
    """
    fields = {
        "user_id": label(user_id),
        "event": label(event),
        "model": model,
        "input": input,
        "output": output,
        "convo_id": label(convo_id),
        "properties": properties,
        "timestamp": timestamp,
        "attachments": attachments,
        "feature_flags": feature_flags,
    }
    return _track("ai", event_id, fields, logger)


def track(  # noqa: PLR0917 -- the official order
    user_id: str | None = None,
    event: str | None = None,
    event_id: str | None = None,
    timestamp: Time | None = None,
    properties: Properties | None = None,
    attachments: Attachments | None = None,
    *,
    feature_flags: Mapping[str, str] | None = None,
    logger: AnyLogger | None = None,
) -> str:
    """A plain product event; see `raindrop_logging.extra.event`.

    Returns:
        the event_id.
    """
    fields = {
        "user_id": label(user_id),
        "event": label(event),
        "timestamp": timestamp,
        "properties": properties,
        "attachments": attachments,
        "feature_flags": feature_flags,
    }
    return _track("event", event_id, fields, logger)


def _track(record_type: RecordType, event_id: Any, fields: Mapping[str, Any], logger: AnyLogger | None) -> str:
    known = label(event_id) or here().fields.get("event_id") or uuid_text(mint_bits(128))
    block = {**fields, "type": record_type, "event_id": known}
    say(logger, block, here(), "%s %s", record_type, known)
    return str(known)


def track_signal(  # noqa: PLR0917 -- the official order
    event_id: str | None = None,
    name: str | None = None,
    signal_type: SignalType = "default",
    timestamp: Time | None = None,
    properties: Properties | None = None,
    attachment_id: str | None = None,
    comment: str | None = None,
    after: str | None = None,
    sentiment: Sentiment | None = None,
    *,
    logger: AnyLogger | None = None,
) -> None:
    """A judgement on an event: feedback, an edit, a thumb. Without a sentiment Raindrop reads NEGATIVE.

    Args:
        event_id: the event; absent, the one that is bound or the interaction that is open here.
        name: such as ``thumbs_up``.
        signal_type: ``feedback`` needs a comment, ``edit`` an after.
        timestamp, properties, attachment_id, comment, after, sentiment: see `raindrop_logging.extra.signal`.
        logger: where the record goes; the logger ``raindrop`` by default.
    """
    block = {
        "type": "signal",
        "event_id": label(event_id),
        "name": name,
        "signal_type": signal_type,
        "timestamp": timestamp,
        "properties": properties,
        "attachment_id": attachment_id,
        "comment": comment,
        "after": after,
        "sentiment": sentiment,
    }
    say(logger, block, here(), "signal %s", name)


def identify(user_id: str | None = None, traits: Properties | None = None, *, logger: AnyLogger | None = None) -> None:
    """Traits of a user: names to texts, numbers or truth values.

    Args:
        user_id: needed, here or bound.
        traits: such as ``{"plan": "paid"}``.
        logger: where the record goes; the logger ``raindrop`` by default.
    """
    block = {"type": "identify", "user_id": label(user_id), "traits": traits}
    say(logger, block, here(), "identify")
