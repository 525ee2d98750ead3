"""The Python SDK's documentation: each of its examples on this package, by its heading."""

from __future__ import annotations

import asyncio
import json
import os
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

import raindrop_logging as raindrop
from tests.published_docs.arrived import Arrived, is_tool_call, plain_event, told, tree, whose
from tests.wire.harness import diagnostics
from tests.wire.recorder import Answer

if TYPE_CHECKING:
    from raindrop_logging.vocabulary import AttachmentDict

# ---- events ---------------------------------------------------------------------------------------------------------


def test_configuration_reads_the_key_and_the_wizard_session(arrived: Arrived, monkeypatch: pytest.MonkeyPatch) -> None:
    """Configuration: a key from the environment is sent as Bearer, the wizard's session with each event."""
    monkeypatch.setenv("RAINDROP_WRITE_KEY", "rk_of_the_environment")
    raindrop.init(os.getenv("RAINDROP_WRITE_KEY"), wizard_session="wizard-1", **arrived.keys)
    raindrop.track_ai(user_id="ada", event="chat", input="Hello?")
    assert arrived.event()["properties"] == {"raindrop.wizardSession": "wizard-1"}
    assert arrived.recorder.requests[0].headers["Authorization"] == "Bearer rk_of_the_environment"


def test_tracking_ai_interactions(arrived: Arrived) -> None:
    """Tracking AI interactions: one call with model, texts, conversation, properties and attachments is one event."""
    shown: list[AttachmentDict] = [
        {"type": "text", "name": "Order", "value": "1 x teapot, green", "role": "input"},
        {"type": "image", "value": "https://shop.example/teapot.png", "role": "output"},
        {"type": "iframe", "name": "Tracking page", "value": "https://carrier.example/42", "role": "output"},
    ]
    event_id = raindrop.track_ai(
        user_id="ada",
        event="parcel_question",
        model="gpt-4o",
        input="Where is my teapot?",
        output="It left Lyon this morning.",
        convo_id="ada-7",
        properties={"prompt": "v12", "experiment": "short_answers"},
        attachments=shown,
    )
    assert arrived.event() == {
        "user_id": "ada",
        "event": "parcel_question",
        "properties": {"prompt": "v12", "experiment": "short_answers"},
        "ai_data": {
            "model": "gpt-4o",
            "input": "Where is my teapot?",
            "output": "It left Lyon this morning.",
            "convo_id": "ada-7",
        },
        "attachments": shown,
    }
    assert arrived.one("events/track")["event_id"] == event_id


def test_attachments(arrived: Arrived) -> None:
    """Attachments: all four types arrive with exactly what was said of them."""
    shown: list[AttachmentDict] = [
        {"type": "code", "name": "Cron line", "value": "@daily restock()", "role": "input", "language": "bash"},
        {"type": "text", "name": "Note", "value": "Only the blue ones", "role": "input"},
        {"type": "image", "value": "https://shop.example/shelf.png", "role": "output"},
        {"type": "iframe", "value": "https://shop.example/shelf", "role": "output"},
    ]
    raindrop.track_ai("ada", "restock", input="Which ones?", attachments=shown)
    assert arrived.one("events/track")["attachments"] == shown


def test_identifying_users(arrived: Arrived) -> None:
    """Identifying users: traits of all allowed types reach the user's route as one object."""
    traits = {"name": "Ada Lindt", "age": 36, "plan": "trial", "newsletter": False, "score": 0.5}
    raindrop.identify(user_id="ada", traits=traits)
    assert arrived.one("users/identify") == {"user_id": "ada", "traits": traits}
    assert isinstance(arrived.recorder.bodies("users/identify")[0], dict)


# ---- interactions ---------------------------------------------------------------------------------------------------


def test_begin_then_resume_by_id(arrived: Arrived) -> None:
    """begin() and resume_interaction(): the id of the handle is the event's, and finds the interaction again."""
    begun = raindrop.begin(user_id="bruno", event="chat_opened", input="Anybody there?")
    raindrop.resume_interaction(event_id=begun.id).finish(output="Yes.")
    sent = arrived.one("events/track")
    assert plain_event(sent) == {
        "user_id": "bruno",
        "event": "chat_opened",
        "ai_data": {"input": "Anybody there?", "output": "Yes."},
    }
    assert sent["event_id"] == begun.id


def test_resume_what_another_process_began(arrived: Arrived) -> None:
    """resume_interaction(): an id that nobody here has begun is finished under that very id."""
    with raindrop.bind(user_id="bruno", event="chat_opened"):
        raindrop.resume_interaction(event_id="begun-elsewhere").finish(output="Done here.")
    sent = arrived.one("events/track_partial")
    assert (sent["event_id"], sent["is_pending"]) == ("begun-elsewhere", False)
    assert sent["ai_data"] == {"output": "Done here."}


def test_interaction_methods(arrived: Arrived) -> None:
    """Interaction object: input replaces, properties merge, attachments add up, and finish() takes other fields."""
    interaction = raindrop.begin(user_id="chen", event="code_help", input="Write a loop", properties={"tier": 1})
    interaction.set_input("Write a recursive function")
    interaction.add_attachments([{"type": "text", "value": "No globals, please", "role": "input"}])
    interaction.set_properties({"tier": 2, "region": "eu"})
    interaction.set_property("editor", "vim")
    interaction.finish(
        output="def f(n): ...",
        properties={"tests": 3},
        attachments=[{"type": "code", "value": "def f(n): ...", "role": "output", "language": "python"}],
    )
    assert arrived.event() == {
        "user_id": "chen",
        "event": "code_help",
        "properties": {"tier": 2, "region": "eu", "editor": "vim", "tests": 3},
        "ai_data": {"input": "Write a recursive function", "output": "def f(n): ..."},
        "attachments": [
            {"type": "text", "value": "No globals, please", "role": "input"},
            {"type": "code", "value": "def f(n): ...", "role": "output", "language": "python"},
        ],
    }


def test_updates_leave_by_themselves(arrived: Arrived) -> None:
    """Interaction object: what is known so far is sent without a flush as pending, and finish() settles it."""
    raindrop.init(**{**arrived.keys, "write_key": "rk_docs", "partial_flush_interval": 0.02})
    interaction = raindrop.begin(user_id="dora", event="chat", input="One moment")
    (first,) = arrived.recorder.wait_for(1, route="events/track_partial")
    interaction.finish(output="Here I am")
    assert (first.json["is_pending"], first.json["ai_data"]) == (True, {"input": "One moment"})
    last = arrived.all("events/track_partial")[-1]
    assert (last["event_id"], last["is_pending"]) == (interaction.id, False)
    assert last["ai_data"] == {"input": "One moment", "output": "Here I am"}


# ---- signals, times, ending -----------------------------------------------------------------------------------------


def test_tracking_signals(arrived: Arrived) -> None:
    """Tracking signals: thumbs with a sentiment, feedback with its comment, an edit with the text after it."""
    raindrop.track_signal(event_id="e-1", name="thumbs_up", signal_type="default", sentiment="POSITIVE")
    raindrop.track_signal(event_id="e-1", name="thumbs_down", signal_type="default", sentiment="NEGATIVE")
    raindrop.track_signal(event_id="e-1", name="survey", signal_type="feedback", comment="Saved me a call.")
    raindrop.track_signal(event_id="e-1", name="rewritten", signal_type="edit", after="It left Lyon on Monday.")
    raindrop.track_signal("e-1", "survey", "feedback", properties={"comment": "Too long"}, attachment_id="a-9")
    assert arrived.signals() == [
        {"event_id": "e-1", "signal_name": "thumbs_up", "signal_type": "default", "sentiment": "POSITIVE"},
        {"event_id": "e-1", "signal_name": "thumbs_down", "signal_type": "default", "sentiment": "NEGATIVE"},
        {
            "event_id": "e-1",
            "signal_name": "survey",
            "signal_type": "feedback",
            "properties": {"comment": "Saved me a call."},
        },
        {
            "event_id": "e-1",
            "signal_name": "rewritten",
            "signal_type": "edit",
            "properties": {"after": "It left Lyon on Monday."},
        },
        {
            "event_id": "e-1",
            "signal_name": "survey",
            "signal_type": "feedback",
            "properties": {"comment": "Too long"},
            "attachment_id": "a-9",
        },
    ]


def test_timestamp(arrived: Arrived) -> None:
    """Timestamp: a given time is the event's and the signal's; without one it is now, in UTC."""
    raindrop.track_ai("ada", "chat", input="Then", timestamp="2025-03-01T10:00:00+02:00")
    raindrop.track_signal("e-1", "copied", timestamp="2025-03-01T08:00:05Z")
    before = datetime.now(UTC)
    raindrop.track_ai("ada", "chat", input="Now")
    then, now = (datetime.fromisoformat(event["timestamp"]) for event in arrived.all("events/track"))
    assert then == datetime(2025, 3, 1, 8, tzinfo=UTC)
    assert before - timedelta(milliseconds=1) <= now <= datetime.now(UTC)
    assert now.utcoffset() == timedelta(0)
    signalled = datetime.fromisoformat(arrived.one("signals/track")["timestamp"])
    assert signalled == datetime(2025, 3, 1, 8, 0, 5, tzinfo=UTC)


def test_flushing_events(arrived: Arrived) -> None:
    """Flushing events: nothing has left before flush(), and all of it has arrived when it returns."""
    raindrop.track_ai("ada", "chat", input="Hello?")
    raindrop.track_signal("e-1", "copied")
    assert arrived.recorder.requests == []
    assert raindrop.flush()
    assert {request.route for request in arrived.recorder.requests} == {"events/track", "signals/track"}


def test_shutting_down(arrived: Arrived) -> None:
    """Shutting down: what waits arrives, and an interaction that is still open arrives as pending."""
    raindrop.track_ai("ada", "chat", input="Last words")
    open_one = raindrop.begin("ada", "chat", input="And then")
    assert raindrop.shutdown()
    assert [event["ai_data"] for event in arrived.recorder.items("events/track")] == [{"input": "Last words"}]
    (pending,) = arrived.recorder.items("events/track_partial")
    assert (pending["event_id"], pending["is_pending"]) == (open_one.id, True)


def test_error_handling(arrived: Arrived) -> None:
    """Error handling: a request that fails twice is sent again until it is taken, with the same bytes."""
    arrived.recorder.script(Answer(503), Answer(500))
    raindrop.init("rk_docs", base_delay=0.01, **arrived.keys)
    raindrop.track_ai("ada", "chat", input="Is this on?")
    assert raindrop.flush(10)
    bodies = [request.body for request in arrived.recorder.to("events/track")]
    assert len(bodies) == 3
    assert len(set(bodies)) == 1


def test_configuration_of_queue_and_batches(arrived: Arrived) -> None:
    """Configuration: the module's settings for queue and batches are keys; no request has more events than said."""
    raindrop.init("rk_docs", **{**arrived.keys, "max_queue_size": 20_000, "upload_size": 3})
    for number in range(4):
        raindrop.track_ai("ada", "chat", input=str(number))
    assert len(arrived.all("events/track")) == 4
    assert sorted(len(body) for body in arrived.recorder.bodies("events/track")) == [1, 3]


def test_configuration_of_the_interval(arrived: Arrived) -> None:
    """Configuration: with an upload interval, events leave without a flush."""
    raindrop.init("rk_docs", **{**arrived.keys, "upload_interval": 0.02})
    raindrop.track_ai("ada", "chat", input="Hello?")
    (request,) = arrived.recorder.wait_for(1)
    assert [event["ai_data"] for event in request.json] == [{"input": "Hello?"}]


def test_debugging(arrived: Arrived) -> None:
    """Debugging: with debug logs on, trouble is told with the file and line that caused it."""
    heard = diagnostics()
    raindrop.set_debug_logs(True)
    raindrop.track_signal("e-1", "survey", "feedback")
    assert arrived.signals() == []
    assert any("'comment' is missing" in line and "test_python.py:" in line for line in heard.lines)


# ---- tracing --------------------------------------------------------------------------------------------------------


def model(messages: list[dict[str, Any]]) -> dict[str, Any]:
    """A model that asks for the weather once, and then says it."""
    if messages[-1]["role"] != "tool":
        return {"name": "get_weather", "arguments": '{"city": "Oslo", "unit": "celsius"}'}
    return {"content": f"It is {json.loads(messages[-1]['content'])['degrees']} degrees."}


@raindrop.tool("get_weather")
def get_weather(city: str, unit: str = "kelvin") -> dict[str, Any]:
    """A tool's work."""
    return {"city": city, "degrees": 4, "unit": unit}


def send_to_user(text: str) -> None:
    """Elsewhere, without the interaction at hand."""
    raindrop.resume_interaction().finish(output=text)


@raindrop.interaction("weather_chat")
def weather_chat(question: str) -> None:
    """One turn: the model asks for a tool, gets its answer, and says the rest."""
    raindrop.begin(user_id="ada", event="weather", input=question, convo_id="ada-8")
    messages: list[dict[str, Any]] = [{"role": "user", "content": question}]
    wish = model(messages)
    found = get_weather(**json.loads(wish["arguments"]))
    messages.append({"role": "tool", "name": wish["name"], "content": json.dumps(found)})
    send_to_user(model(messages)["content"])


def test_tracing_a_tool_that_the_model_asked_for(arrived: Arrived) -> None:
    """Tracing: one event, and a workflow whose child is the tool's call, both of that event and in its trace."""
    weather_chat("Do I need gloves in Oslo?")
    raindrop.flush()
    raindrop.shutdown()
    sent = arrived.one("events/track")
    assert plain_event(sent) == {
        "user_id": "ada",
        "event": "weather",
        "ai_data": {"input": "Do I need gloves in Oslo?", "output": "It is 4 degrees.", "convo_id": "ada-8"},
    }
    spans = arrived.spans()
    assert tree(spans) == {"weather_chat": None, "get_weather": "weather_chat"}
    assert told(spans["weather_chat"]) == {"kind": "workflow", "input": '{"question":"Do I need gloves in Oslo?"}'}
    assert told(spans["get_weather"]) == {
        "kind": "tool",
        "input": '{"city":"Oslo","unit":"celsius"}',
        "output": '{"city":"Oslo","degrees":4,"unit":"celsius"}',
    }
    assert is_tool_call(spans["get_weather"])
    ids = {"event_id": sent["event_id"], "user_id": "ada", "event": "weather", "convo_id": "ada-8"}
    assert [whose(span) for span in spans.values()] == [ids, ids]
    assert {span["trace_id"] for span in spans.values()} == {sent["properties"]["trace_id"]}


def test_interaction_decorator(arrived: Arrived) -> None:
    """The interaction decorator: what begins inside it is found again without its id, and is the workflow's event."""

    def reply() -> None:
        raindrop.resume_interaction().finish(output="Take gloves.")

    @raindrop.interaction("gloves_flow")
    def flow() -> str:
        begun = raindrop.begin(user_id="ada", event="weather", input="Gloves?")
        reply()
        return begun.id

    event_id = flow()
    assert arrived.event()["ai_data"] == {"input": "Gloves?", "output": "Take gloves."}
    span = arrived.span()
    assert told(span)["kind"] == "workflow"
    assert span["attributes"]["traceloop.workflow.name"] == "gloves_flow"
    assert whose(span)["event_id"] == event_id == arrived.one("events/track")["event_id"]


def test_resuming_outside_of_the_context(arrived: Arrived) -> None:
    """Resume caveats: another thread needs the id; without it and without a context the interaction is a new one."""
    begun = raindrop.begin(user_id="ada", event="weather", input="Gloves?")
    found: list[str] = []

    def elsewhere() -> None:
        found.append(raindrop.resume_interaction().id)
        raindrop.resume_interaction(event_id=begun.id).finish(output="Yes.")

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert arrived.event()["ai_data"] == {"input": "Gloves?", "output": "Yes."}
    assert found != [begun.id]


@raindrop.task("read_manuals")
async def read_manuals() -> None:
    """Three steps, one of them asynchronous, none of them a function of its own."""
    interaction = raindrop.begin(user_id="chen", event="manual_question", input="How do I descale it?")
    with raindrop.tool_span("find_pages", version=1) as tool:
        tool.record_input({"query": "descale"})
        pages = ["p. 12", "p. 31"]
        tool.set_properties({"found": len(pages)})
        tool.record_output({"pages": pages})
    async with raindrop.tool_span("rank_pages") as tool:
        tool.record_input({"pages": pages})
        await asyncio.sleep(0)
        tool.record_output({"best": pages[0]})
    with raindrop.task_span("summary") as task:
        task.record_input("p. 12")
        task.record_output("With vinegar.")
    interaction.finish(output="With vinegar.")
    raindrop.shutdown()


def test_context_managers(arrived: Arrived) -> None:
    """tool_span and task_span: sync and async blocks are children of the task, with version, properties and content."""
    asyncio.run(read_manuals())
    spans = arrived.spans()
    assert tree(spans) == {
        "read_manuals": None,
        "find_pages": "read_manuals",
        "rank_pages": "read_manuals",
        "summary": "read_manuals",
    }
    assert {name: told(span) for name, span in spans.items()} == {
        "read_manuals": {"kind": "task"},
        "find_pages": {
            "kind": "tool",
            "version": 1,
            "input": '{"query":"descale"}',
            "output": '{"pages":["p. 12","p. 31"]}',
            "properties": {"found": 2},
        },
        "rank_pages": {"kind": "tool", "input": '{"pages":["p. 12","p. 31"]}', "output": '{"best":"p. 12"}'},
        "summary": {"kind": "task", "input": "p. 12", "output": "With vinegar."},
    }
    event = arrived.one("events/track")
    assert event["ai_data"] == {"input": "How do I descale it?", "output": "With vinegar."}
    assert {whose(span)["event_id"] for span in spans.values()} == {event["event_id"]}


def test_spans_without_tracing(arrived: Arrived) -> None:
    """tool_span and task_span: with tracing off the blocks run, and only the event arrives."""
    raindrop.init("rk_docs", tracing_enabled=False, **arrived.keys)
    asyncio.run(read_manuals())
    assert arrived.event()["ai_data"]["output"] == "With vinegar."
    assert {request.route for request in arrived.recorder.requests} == {"events/track"}


def fetch(stock: dict[str, int] | None) -> raindrop.Span:
    """Starts the span that its caller ends."""
    span = raindrop.resume_interaction().start_span(kind="tool", name="warehouse", version=2)
    span.record_input({"sku": "teapot"})
    span.set_properties({"site": "north"})
    if stock is not None:
        span.record_output(stock)
    return span


@pytest.mark.parametrize("stock", [{"teapot": 3}, None], ids=["works", "fails"])
def test_manual_spans(arrived: Arrived, stock: dict[str, int] | None) -> None:
    """start_span(): begun in one function, ended in another, of the interaction's event; an exception marks it."""

    @raindrop.interaction("stock_check")
    def check() -> raindrop.Interaction:
        interaction = raindrop.begin(user_id="dora", event="stock", input="Any teapots?", convo_id="dora-2")
        span = fetch(stock)
        assert span.event_id == interaction.id
        if stock is None:
            span.end(error=TimeoutError("no answer"))
        else:
            span.end()
        interaction.finish(output="Done")
        return interaction

    interaction = check()
    spans = arrived.spans()
    assert tree(spans) == {"stock_check": None, "warehouse": "stock_check"}
    ended = {"output": '{"teapot":3}'} if stock is not None else {"error": "no answer"}
    expected = {"kind": "tool", "version": 2, "input": '{"sku":"teapot"}', "properties": {"site": "north"}}
    assert told(spans["warehouse"]) == expected | ended
    assert whose(spans["warehouse"]) == {
        "event_id": interaction.id,
        "user_id": "dora",
        "event": "stock",
        "convo_id": "dora-2",
    }
    assert told(spans["stock_check"]).get("error") is None
