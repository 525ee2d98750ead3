"""Checked by mypy and pyright, never run: what both see of each TypedDict of the vocabulary, right and wrong.

As in `builders`, a wrong use carries the error that it must be.
"""

from raindrop_logging.vocabulary import (
    AiDict,
    AttachmentDict,
    BeginDict,
    EventDict,
    FinishDict,
    IdentifyDict,
    MessageDict,
    SignalDict,
    SpanDict,
    UpdateDict,
)

ai: AiDict = {"type": "ai", "user_id": "u", "event": "chat", "input": "q", "output": None}  # right
ai_1: AiDict = {"inpt": "q"}  # type: ignore[typeddict-unknown-key]  # pyright: ignore[reportAssignmentType]  # wrong key
ai_2: AiDict = {"input": 5}  # type: ignore[typeddict-item]  # pyright: ignore[reportAssignmentType]  # wrong type

event: EventDict = {"user_id": "u", "event": "opened", "properties": {"n": 1}}  # right
event_1: EventDict = {"input": "q"}  # type: ignore[typeddict-unknown-key]  # pyright: ignore[reportAssignmentType]  # wrong key
event_2: EventDict = {"type": "evnt"}  # type: ignore[typeddict-item]  # pyright: ignore[reportAssignmentType]  # wrong type

begin: BeginDict = {"type": "begin", "user_id": "u", "input": "q", "attachments": [{"value": "x"}]}  # right
begin_1: BeginDict = {"output": "a"}  # type: ignore[typeddict-unknown-key]  # pyright: ignore[reportAssignmentType]  # wrong key
begin_2: BeginDict = {"attachments": [{"value": 1}]}  # type: ignore[typeddict-item]  # pyright: ignore[reportAssignmentType]  # wrong type

update: UpdateDict = {"event_id": "e", "model": "m"}  # right
update_1: UpdateDict = {"output": "a"}  # type: ignore[typeddict-unknown-key]  # pyright: ignore[reportAssignmentType]  # wrong key
update_2: UpdateDict = {"event_id": 1}  # type: ignore[typeddict-item]  # pyright: ignore[reportAssignmentType]  # wrong type

finish: FinishDict = {"event_id": "e", "output": "a"}  # right
finish_1: FinishDict = {"sentiment": "POSITIVE"}  # type: ignore[typeddict-unknown-key]  # pyright: ignore[reportAssignmentType]  # wrong key
finish_2: FinishDict = {"output": ["a"]}  # type: ignore[typeddict-item]  # pyright: ignore[reportAssignmentType]  # wrong type

signal: SignalDict = {"event_id": "e", "name": "thumbs_up"}  # right
signal_1: SignalDict = {"name": "x", "comments": "!"}  # type: ignore[typeddict-unknown-key]  # pyright: ignore[reportAssignmentType]  # wrong key
signal_2: SignalDict = {"name": "x", "sentiment": "positive"}  # type: ignore[typeddict-item]  # pyright: ignore[reportAssignmentType]  # wrong type
signal_3: SignalDict = {"event_id": "e"}  # type: ignore[typeddict-item]  # pyright: ignore[reportAssignmentType]  # missing key

identify: IdentifyDict = {"user_id": "u", "traits": {"plan": "pro"}}  # right
identify_1: IdentifyDict = {"traits": {}, "name": "x"}  # type: ignore[typeddict-unknown-key]  # pyright: ignore[reportAssignmentType]  # wrong key
identify_2: IdentifyDict = {"traits": "pro"}  # type: ignore[typeddict-item]  # pyright: ignore[reportAssignmentType]  # wrong type
identify_3: IdentifyDict = {"user_id": "u"}  # type: ignore[typeddict-item]  # pyright: ignore[reportAssignmentType]  # missing key

span: SpanDict = {"kind": "task", "name": "plan", "error": ValueError("x")}  # right
span_1: SpanDict = {"kind": "task", "name": "plan", "signal_type": "edit"}  # type: ignore[typeddict-unknown-key]  # pyright: ignore[reportAssignmentType]  # wrong key
span_2: SpanDict = {"kind": "task", "name": "plan", "duration_ms": "7"}  # type: ignore[typeddict-item]  # pyright: ignore[reportAssignmentType]  # wrong type
span_3: SpanDict = {"kind": "task"}  # type: ignore[typeddict-item]  # pyright: ignore[reportAssignmentType]  # missing key
span_4: SpanDict = {"name": "plan"}  # type: ignore[typeddict-item]  # pyright: ignore[reportAssignmentType]  # missing key

attachment: AttachmentDict = {"type": "image", "value": "https://example.org/x.png", "role": "context"}  # right
attachment_1: AttachmentDict = {"value": "x", "mime": "text/plain"}  # type: ignore[typeddict-unknown-key]  # pyright: ignore[reportAssignmentType]  # wrong key
attachment_2: AttachmentDict = {"value": "x", "role": "user"}  # type: ignore[typeddict-item]  # pyright: ignore[reportAssignmentType]  # wrong type
attachment_3: AttachmentDict = {"type": "text"}  # type: ignore[typeddict-item]  # pyright: ignore[reportAssignmentType]  # missing key

message: MessageDict = {"role": "user", "content": [{"type": "text"}]}  # right
message_1: MessageDict = {"role": "user", "text": "q"}  # type: ignore[typeddict-unknown-key]  # pyright: ignore[reportAssignmentType]  # wrong key
message_2: MessageDict = {"role": 1}  # type: ignore[typeddict-item]  # pyright: ignore[reportAssignmentType]  # wrong type
message_3: MessageDict = {"content": "q"}  # type: ignore[typeddict-item]  # pyright: ignore[reportAssignmentType]  # missing key
