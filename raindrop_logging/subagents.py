"""A detached sub-agent's side of a hand-off: its own event, which always reports how it ended.

    with resume_subagent(headers=request.headers) as run:
        run.finish(output=work(job))

What leaves the block by an exception has failed, or was cancelled; what leaves it without a word has failed as well.
Else its launch would look queued for ever.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final, Self, Unpack

import msgspec

from raindrop_logging.carrier import CANCELLED, Carrier, Headers, read_carrier
from raindrop_logging.context import AnyLogger, Scope, Turn, here
from raindrop_logging.identifiers import mint_bits, trace_id_of_event, uuid_text
from raindrop_logging.interactions import Interaction, know, opened
from raindrop_logging.plain import frozen, label, plain, text_of
from raindrop_logging.span import Span, SpanOptions
from raindrop_logging.vocabulary import UpdateDict

_NAME: Final = "subagent"
_SILENT: Final = "the sub-agent ended without an output"
_FAILED: Final = "ai.subagent.failed"
_TERMINAL: Final = "raindrop.handoff.terminal"


class SubagentRun:
    """One run of a sub-agent; made by `resume_subagent`.

    Attributes:
        interaction: its own event, to open spans and set properties on.
        parent: what it was told by its launcher; None where it was called without a carrier.
        name: of the sub-agent.
    """

    def __init__(self, interaction: Interaction, parent: Carrier | None, name: str, turn: Turn) -> None:
        """Use `resume_subagent`."""
        self.interaction: Final = interaction
        self.parent: Final = parent
        self.name: Final = name
        self._turn = turn
        self._began = time.time()
        self._root: Span | None = None
        self._is_aborted = False

    @property
    def event_id(self) -> str:
        """Of its own event."""
        return self.interaction.id

    @property
    def is_linked(self) -> bool:
        """Whether a launcher knows of it."""
        return self.parent is not None

    def finish(self, output: Any = None, **fields: Unpack[UpdateDict]) -> None:
        """It is done; without an output it counts as failed, since an event without one shows nowhere.

        After `fail` or `cancel` it changes nothing.

        Args:
            output: what it found out; what is no text is said as JSON.
            fields: any other field of the event.
        """
        if self._is_aborted:
            return
        text = _output(output)
        if text.strip():
            self._show()
            self.interaction.finish(text, **fields)
            return
        if fields:
            self.interaction.update(**fields)
        self.fail(_SILENT)

    def fail(self, reason: str | BaseException) -> None:
        """It has failed: its span is marked so, and the reason is its output. A cancellation is one.

        Once it is finished, it changes nothing.
        """
        if _is_cancellation(reason):
            self.cancel(reason)
        elif not self.interaction.finished:
            self._is_aborted = True
            self._show(_failure(reason))
            self.interaction.finish(f"Aborted: {_said(reason)}")

    def cancel(self, reason: str | BaseException | None = None) -> None:
        """It was cancelled, which nothing else would tell from finished. Once it is finished, it changes nothing."""
        if self.interaction.finished:
            return
        self._is_aborted = True
        self._turn.attributes = {**self._turn.attributes, **CANCELLED}
        self._show()
        said = "cancelled by its caller" if reason is None else _said(reason)
        self.interaction.finish(f"Cancelled: {said}", properties={_TERMINAL: CANCELLED[_TERMINAL]})

    def _show(self, failure: str | BaseException | None = None) -> None:
        """See that a span says how it ended: the one around the block, else, without a block, one made now."""
        if self._root is not None:
            if failure is not None:
                self._root.set_error(failure)
            return
        options: SpanOptions = {"logger": self._turn.logger, "start_time": self._began}
        if failure is None:
            self._root = Span("workflow", self.name, self._turn, self._scope(), options)
        else:
            options["attributes"] = {"ai.operationId": _FAILED}
            self._root = Span("trace", _FAILED, self._turn, self._scope(), options)
        self._root.end(failure)

    def _scope(self) -> Scope:
        """What its records are about: all that is bound around, except whose the work around is."""
        turn = self._turn
        own = {"user_id": turn.user_id, "convo_id": turn.convo_id, "trace_id": turn.trace_id}
        bound = {key: value for key, value in here().fields.items() if key not in _OTHERS}
        return Scope({**bound, **{key: value for key, value in own.items() if value is not None}}, turn)

    def __enter__(self) -> Self:
        if self._root is None:
            self._root = Span("workflow", self.name, self._turn, self._scope(), {"logger": self._turn.logger})
        self._root.__enter__()
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if not self.interaction.finished:
            self.fail(_SILENT if error is None else error)
        if self._root is not None:
            self._root.__exit__(None, None, None)

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        self.__exit__(kind, error, traceback)

    def __repr__(self) -> str:
        return f"<SubagentRun {self.name!r} {self.event_id}{'' if self.is_linked else ' not linked'}>"


def _is_cancellation(reason: object) -> bool:
    """asyncio's or a future's, by name: importing either to ask would cost every program more than all of this."""
    return any(kind.__name__ == "CancelledError" for kind in type(reason).__mro__)


_OTHERS: Final = frozenset({"event_id", "span_id"})


def _output(output: Any) -> str:
    if output is None or isinstance(output, str):
        return output or ""
    try:
        return msgspec.json.encode(frozen(output)).decode()
    except (TypeError, ValueError, RecursionError):  # keys that JSON has no text for
        return msgspec.json.encode(plain(output)).decode()


def _told(parent: Carrier | None, headers: Headers | None) -> Carrier | None:
    return parent if isinstance(parent, Carrier) and _is_whole(parent) else read_carrier(headers)


def _is_whole(carrier: Carrier) -> bool:
    """Whether both events are named and all that it says is text, as in one that was read from headers."""
    said = [value for value in msgspec.structs.astuple(carrier) if value is not None]
    if not all(isinstance(value, str) for value in said):
        return False
    return label(carrier.event_id) is not None and label(carrier.child_event_id) is not None


def _failure(reason: Any) -> str | BaseException:
    """What marks a span as failed: a None or a False would not."""
    return reason if isinstance(reason, str | BaseException) else _said(reason)


def _said(reason: str | BaseException) -> str:
    text = text_of(reason, str)
    if not isinstance(reason, BaseException):
        return text
    return f"{type(reason).__name__}: {text}" if text else type(reason).__name__


def resume_subagent(
    headers: Headers | None = None,
    *,
    parent: Carrier | None = None,
    user_id: str | None = None,
    event: str | None = None,
    name: str | None = None,
    input: str | None = None,  # noqa: A002 -- the official SDKs' name
    convo_id: str | None = None,
    event_id: str | None = None,
    properties: Mapping[str, Any] | None = None,
    model: str | None = None,
    logger: AnyLogger | None = None,
) -> SubagentRun:
    """Begin a sub-agent's own event, linked to the turn that launched it (see `Interaction.subagent`).

    Args:
        headers: of the request, or whatever brought the carrier. Only from services that you trust: a carrier names
            the event that this one is linked to. One that contradicts itself counts as none.
        parent: the carrier itself, in place of headers.
        user_id, name, convo_id, event_id: where no carrier says them; a carrier wins.
        event: name of the event; the sub-agent's name by default.
        input, properties, model: of the event.
        logger: where its records go; the logger ``raindrop`` by default.
    """
    told = _told(parent, headers)
    own = Carrier(
        event_id="",
        child_event_id=label(event_id) or uuid_text(mint_bits(128)),
        name=label(name) or _NAME,
        convo_id=label(convo_id),
        user_id=label(user_id),
    )
    launch = told if told is not None else own
    called = label(launch.name) or _NAME
    turn = Turn(trace_id=trace_id_of_event(launch.child_event_id))
    turn.logger = logger
    if told is not None:
        turn.attributes = told.attributes
    know(
        turn,
        here(),
        event_id=launch.child_event_id,
        user_id=launch.user_id or own.user_id,
        event=label(event) or called,
        convo_id=launch.convo_id or own.convo_id,
    )
    interaction = opened(turn, input=input, properties=properties, model=model)
    return SubagentRun(interaction, told, called, turn)
