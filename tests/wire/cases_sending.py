"""Cases of where requests go, and of what becomes of them when the server says no."""

from __future__ import annotations

from typing import Any

from tests.wire.expect import BATCHED, MINTED, PATIENT, QUICK, Case, Sent, about, event, signal, span, spoke
from tests.wire.recorder import Answer

# ---- where it goes --------------------------------------------------------------------------------------------------

_SHORT = [
    {"type": "begin", "event_id": MINTED[0], "user_id": "u", "event": "e", "input": "q"},
    {"type": "finish", "event_id": MINTED[0], "output": "o"},
]
_SHORT_EVENT = event("u", "e", event_id=MINTED[0], ai_data={"input": "q", "output": "o"})
_SHORT_SPAN = {"kind": "tool", "name": "t", "event_id": MINTED[0], "user_id": "u", "event": "e"}
_SHORT_SPAN_SENT = span("t", "tool", about(MINTED[0], "u", "e"))

ENDPOINT_PREFIX = Case(
    name="endpoint_prefix",
    says=[*_SHORT, _SHORT_SPAN],
    sends=[
        Sent("events/track", [_SHORT_EVENT], prefix="/proxy/raindrop/v1/"),
        Sent("traces", [_SHORT_SPAN_SENT], prefix="/proxy/raindrop/v1/"),
    ],
    settings={**BATCHED, "endpoint": "{base}/proxy/raindrop/v1"},
)

NETRC_OVERRIDE = Case(
    name="netrc_override",
    says=[*_SHORT, _SHORT_SPAN],
    sends=[Sent("events/track", [_SHORT_EVENT]), Sent("traces", [_SHORT_SPAN_SENT])],
    environ={"NETRC": "{netrc}"},
)

SYSPROXY_ENV = Case(
    name="sysproxy_env",
    says=[{"user_id": "u", "event": "e", "input": "x"}],
    sends=[Sent("events/track", [event("u", "e", ai_data={"input": "x"})], prefix="http://example.invalid/v1/")],
    settings={**BATCHED, "endpoint": "http://example.invalid/v1/"},
    environ={"HTTP_PROXY": "{base}"},
)

KEY_WHITESPACE = Case(
    name="key_whitespace",
    says=[{"user_id": "u", "event": "e", "input": "x"}],
    sends=[Sent("events/track", [event("u", "e", ai_data={"input": "x"})])],
    settings={**BATCHED, "write_key": " padded "},
    pairs=[(0, 0), (1, None)],
)

PROJECT_BAD = Case(
    name="project_bad",
    says=[{"type": "event", "user_id": "u", "event": "e"}],
    sends=[],
    settings={**BATCHED, "project_id": "Not A Slug!"},
    refuses="project_id",
    pairs=[(0, None)],
)

NO_KEY = Case(
    name="no_key",
    says=[*_SHORT, {"type": "signal", "event_id": "e", "name": "s"}, {"user_id": "u", "traits": {}}],
    sends=[],
    settings={**BATCHED, "write_key": None},
)

_AI_EVENT = event("u", "e", event_id=MINTED[1], ai_data={"input": "x"})
_PROJECT_SPAN = span(
    "t1", "tool", {"raindrop.project_id": "my-proj"} | about(MINTED[0], "u", "e") | spoke(given={"a": 1}, gave="r")
)

WORKSHOP_ONLY = Case(
    name="workshop_only",
    says=[
        {"type": "event", "user_id": "u", "event": "e"},
        {"event_id": MINTED[1], "user_id": "u", "event": "e", "input": "x"},
        {"user_id": "u", "traits": {}},
        {"type": "signal", "event_id": "e", "name": "s"},
        *_SHORT,
    ],
    sends=[
        Sent("events/track", [event("u", "e")], prefix="/ws/v1/"),
        Sent("events/track_partial", {**_AI_EVENT, "is_pending": False}, prefix="/ws/v1/"),
        Sent("users/identify", {"user_id": "u", "traits": {}}, prefix="/ws/v1/"),
        Sent("signals/track", [signal("s", event_id="e")], prefix="/ws/v1/"),
        Sent("events/track_partial", {**_SHORT_EVENT, "is_pending": False}, prefix="/ws/v1/"),
    ],
    settings={**BATCHED, "write_key": None, "workshop": "{base}/ws/v1/"},
    unordered=True,
)

WORKSHOP_MIRROR = Case(
    name="workshop_mirror",
    says=[
        {"type": "event", "user_id": "u", "event": "e"},
        {"event_id": MINTED[1], "user_id": "u", "event": "e", "input": "x"},
        *_SHORT,
        {**_SHORT_SPAN, "name": "t1", "input": {"a": 1}, "output": "r"},
    ],
    sends=[
        Sent("events/track", [event("u", "e"), _AI_EVENT, _SHORT_EVENT]),
        Sent("traces", [_PROJECT_SPAN]),
        Sent("events/track", [event("u", "e")], prefix="/ws/v1/"),
        Sent("events/track_partial", {**_AI_EVENT, "is_pending": False}, prefix="/ws/v1/"),
        Sent("events/track_partial", {**_SHORT_EVENT, "is_pending": False}, prefix="/ws/v1/"),
        Sent("traces", [_PROJECT_SPAN], prefix="/ws/v1/"),
    ],
    settings={**BATCHED, "project_id": "my-proj", "workshop": "{base}/ws/v1/"},
    pairs=[(0, 4), (1, 0), (2, 5), (3, 1), (4, 6), (5, 2), (6, 3), (None, 7)],
    unordered=True,
)

SPANS_NOKEY = Case(
    name="spans_nokey",
    says=[
        {"type": "begin", "event_id": "evt-nk", "user_id": "u", "event": "e", "input": "q"},
        {"kind": "tool", "name": "t", "event_id": "evt-nk", "user_id": "u", "event": "e"},
        {"type": "finish", "event_id": "evt-nk", "output": "o"},
    ],
    sends=[
        Sent(
            "events/track_partial",
            event("u", "e", event_id="evt-nk", ai_data={"input": "q", "output": "o"}, is_pending=False),
            prefix="/ws/v1/",
        ),
        Sent("traces", [span("t", "tool", about("evt-nk", "u", "e"))], prefix="/ws/v1/"),
    ],
    settings={**BATCHED, "write_key": None, "workshop": "{base}/ws/v1/"},
    pairs=[(0, 0), (None, 1)],
)


# ---- what the server answers ----------------------------------------------------------------------------------------


def _answered(name: str, *answers: Answer, left: int = 0, refused: int = 0, pairs: Any = None) -> Case:
    """One AI event, sent once for each answer and, unless that refused it, once more: after a pause, or where the
    set-up was wrong (``left``) at the end of the handler."""
    return Case(
        name=name,
        says=[{"event_id": MINTED[0], "user_id": "u", "event": "e", "input": "x"}],
        sends=[
            Sent("events/track", [event("u", "e", event_id=MINTED[0], ai_data={"input": "x"})])
            for _ in range(len(answers) + (not refused))
        ],
        settings={**BATCHED, **(PATIENT if left or refused else QUICK)},
        answers=answers,
        left=left,
        refused=refused,
        pairs=pairs,
    )


_ONCE_MORE = [(0, 0), (None, 1)]
_FOUR_FOR_THREE = [(0, 0), (1, 1), (2, 2), (None, 3)]

STATUSES = (
    _answered("status_400", Answer(400), refused=1),
    _answered("status_413", Answer(413), refused=1),
    _answered("status_401", Answer(401), left=1, pairs=_ONCE_MORE),
    _answered("status_403", Answer(403), left=1, pairs=_ONCE_MORE),
    _answered("status_404", Answer(404), left=1, pairs=_ONCE_MORE),
    _answered("status_408", Answer(408), pairs=_ONCE_MORE),
    _answered("status_429", *[Answer(429, headers={"Retry-After": "4"})] * 3, pairs=_FOUR_FOR_THREE),
    _answered("status_500", *[Answer(500)] * 3, pairs=_FOUR_FOR_THREE),
    _answered("status_503", *[Answer(503)] * 3, pairs=_FOUR_FOR_THREE),
    _answered(
        "redirect",
        Answer(307, headers={"Location": "/v1/elsewhere"}),
        left=1,
        pairs=[*_ONCE_MORE, *((again, None) for again in range(1, 31))],
    ),
    _answered(
        "redirect_301", Answer(301, headers={"Location": "/v1/elsewhere"}), left=1, pairs=[*_ONCE_MORE, (1, None)]
    ),
)

CASES = (
    ENDPOINT_PREFIX,
    NETRC_OVERRIDE,
    SYSPROXY_ENV,
    KEY_WHITESPACE,
    PROJECT_BAD,
    NO_KEY,
    WORKSHOP_ONLY,
    WORKSHOP_MIRROR,
    SPANS_NOKEY,
    *STATUSES,
)
