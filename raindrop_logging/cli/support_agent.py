"""The demo's service: the support agent of a made-up outdoor shop, written as a user would write one.

It knows loggers and `raindrop_logging.extra`, nothing of how or where anything is sent: the configuration says that.
The customers, the orders and the model's answers are made up here; the waiting is real, and short.
"""

from __future__ import annotations

import json
import logging
import secrets
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

from raindrop_logging import extra
from raindrop_logging.context import bind

MODEL = "gpt-4o-mini"
LOOKING_UP = 0.02
THINKING = 0.05
UPLOADING = 0.6
"""Seconds: a row of a database, a model's answer, and a customer's photo over a phone line."""

log = logging.getLogger("shop.agent")
tools = logging.getLogger("shop.tools")
feedback = logging.getLogger("shop.feedback")

ORDERS = {
    "1042": {"items": ["Tarn 38 backpack"], "status": "shipped", "parcel": "PX-77120", "days": 2},
    "1057": {"items": ["Fell rain jacket, M"], "status": "shipped", "parcel": "PX-77391", "days": 9},
}


class CarrierTimeoutError(Exception):
    """The carrier's tracking service did not answer."""


def serve_everyone() -> None:
    """A morning at the shop's support."""
    ada_asks_twice()
    bruno_gets_a_confident_wrong_answer()
    chen_sends_photos_of_a_torn_seam()
    dora_waits_for_a_human()


def ada_asks_twice() -> None:
    """Two complete AI events in one bound conversation, a tool each, and thanks."""
    with bind(user_id="ada", convo_id="ada-1042", event="support_chat", properties={"channel": "web"}):
        log.info("ada signed in", extra=extra.identify(traits={"name": "Ada", "plan": "member", "orders": 7}))

        first = str(uuid4())
        with tool("order_lookup", {"order": "1042"}, event_id=first) as call:
            call["output"] = look_up("1042")
        time.sleep(THINKING)
        log.info(
            "ada asked where order 1042 is",
            extra=extra.ai(
                event_id=first,
                model=MODEL,
                input="Hi! Where is my backpack? Order 1042.",
                output="Your Tarn 38 left our warehouse two days ago and is due tomorrow, parcel PX-77120.",
            ),
        )
        feedback.info("ada: thumbs up", extra=extra.signal(event_id=first, name="thumbs_up", sentiment="POSITIVE"))

        # The message may name the type, and the block be a plain dict: the handler makes the id.
        question = "Great. Can I still add a rain cover?"
        answer = "Not to a parcel on its way, but I can send the cover free of postage. Shall I?"
        log.info("ai", extra={"raindrop": {"model": MODEL, "input": question, "output": answer}})

        items = {"sku": "RC-38", "amount": 24.9, "currency": "EUR"}
        log.info("ada bought a rain cover", extra=extra.event(event="checkout_completed", properties=items))


def bruno_gets_a_confident_wrong_answer() -> None:
    """An interaction in steps: a workflow with an LLM call and two tools inside, one of which fails."""
    chat = str(uuid4())
    workflow = secrets.token_hex(8)
    question = "My jacket has been 'shipped' for nine days. Is it lost? Order 1057"
    answer = "Good news: your Fell rain jacket arrives tomorrow before noon!"
    with bind(user_id="bruno", convo_id="bruno-1057", event="support_chat", event_id=chat):
        log.info("bruno asked about order 1057", extra=extra.begin(event_id=chat, model=MODEL, input=question))
        started = time.time()
        with tool("order_lookup", {"order": "1057"}, parent_id=workflow) as call:
            call["output"] = look_up("1057")
        try:
            with tool("carrier_status", {"parcel": "PX-77391"}, parent_id=workflow) as call:
                call["output"] = ask_carrier("PX-77391")
        except CarrierTimeoutError:
            log.info("answering without the carrier", extra=extra.update(properties={"carrier": "unreachable"}))
        ask_model(question, answer, parent_id=workflow)
        log.info(
            "the agent is done",
            extra=extra.span(
                kind="workflow",
                name="answer_customer",
                span_id=workflow,
                start_time=started,
                input=question,
                output=answer,
            ),
        )
        log.info("answered bruno", extra=extra.finish(output=answer, properties={"tools": 2}))

        feedback.info("bruno: thumbs down", extra=extra.signal(name="thumbs_down", sentiment="NEGATIVE"))
        complaint = "It said tomorrow. The carrier has just told me the parcel is lost."
        feedback.info(
            "bruno left a comment",
            extra=extra.signal(name="comment", signal_type="feedback", sentiment="NEGATIVE", comment=complaint),
        )


def chen_sends_photos_of_a_torn_seam() -> None:
    """A long interaction, sent while it grows, with all four types of attachment; a colleague edits the answer."""
    chat = str(uuid4())
    with bind(user_id="chen", convo_id="chen-0988", event="return_request", event_id=chat):
        request = "My tent's seam is torn. Can I return it?"
        log.info("chen wants to return a tent", extra=extra.begin(event_id=chat, model=MODEL, input=request))
        log.info(
            "chen named the order",
            extra=extra.update(
                properties={"order": "0988"},
                attachments=[
                    {"type": "text", "role": "context", "name": "order 0988", "value": "1 x Ridge tent, 2 persons"}
                ],
            ),
        )
        time.sleep(UPLOADING)
        photo = "https://outdoor-shop.example/uploads/seam.jpg"
        log.info(
            "chen sent a photo",
            extra=extra.update(attachments=[{"type": "image", "role": "input", "name": "seam.jpg", "value": photo}]),
        )
        with tool("returns_policy", {"days_since_delivery": 21, "reason": "defect"}) as call:
            call["output"] = {"return": True, "postage": "free"}
        time.sleep(UPLOADING)
        draft = "You can return the tent. Please print the label below."
        order = json.dumps({"order": "0988", "reason": "defect", "refund": 219.0})
        log.info(
            "answered chen",
            extra=extra.finish(
                output=draft,
                attachments=[
                    {"type": "code", "language": "json", "role": "output", "name": "return.json", "value": order},
                    {
                        "type": "iframe",
                        "role": "output",
                        "name": "label",
                        "value": "https://outdoor-shop.example/label/0988",
                    },
                ],
            ),
        )
        better = "I am sorry about the seam! Returning the tent is free: please print the label below."
        feedback.info(
            "a colleague improved the answer", extra=extra.signal(name="edit", signal_type="edit", after=better)
        )
        feedback.info("chen: thumbs up", extra=extra.signal(name="thumbs_up", sentiment="POSITIVE"))


def dora_waits_for_a_human() -> None:
    """An interaction that is still open when the service ends: it stays pending."""
    chat = str(uuid4())
    with bind(user_id="dora", convo_id="dora-1", event="support_chat", event_id=chat):
        log.info("dora signed in", extra=extra.identify(traits={"name": "Dora", "plan": "guest", "orders": 0}))
        log.info("dora asked for a person", extra=extra.begin(event_id=chat, input="I want a human, please."))
        log.info("handed over to the team", extra=extra.update(properties={"escalated": True, "queue": 3}))


def look_up(order: str) -> dict[str, Any]:
    """An order, from the shop's database."""
    time.sleep(LOOKING_UP)
    return ORDERS[order]


def ask_carrier(parcel: str) -> str:
    """Where a parcel is; the carrier is down this morning."""
    time.sleep(THINKING)
    raise CarrierTimeoutError(f"no word on {parcel}")


def ask_model(question: str, answer: str, *, parent_id: str) -> None:
    """One call of the model, told as a span."""
    started = time.time()
    time.sleep(THINKING)
    log.info(
        "%s answered",
        MODEL,
        extra=extra.span(
            kind="llm",
            name="write_answer",
            provider="openai",
            model=MODEL,
            messages=[
                {"role": "system", "content": "You are the friendly support agent of an outdoor shop."},
                {"role": "user", "content": question},
            ],
            output=answer,
            input_tokens=212,
            output_tokens=17,
            start_time=started,
            parent_id=parent_id,
        ),
    )


@contextmanager
def tool(
    name: str, given: Any, *, event_id: str | None = None, parent_id: str | None = None
) -> Generator[dict[str, Any]]:
    """Tell of one tool call, however it ends; its result goes into the dict that is handed out."""
    started = time.time()
    call: dict[str, Any] = {}

    def told() -> extra.Extra:
        return extra.span(
            kind="tool",
            name=name,
            input=given,
            output=call.get("output"),
            start_time=started,
            event_id=event_id,
            parent_id=parent_id,
        )

    try:
        yield call
    except Exception:
        tools.exception("%s failed", name, extra=told())
        raise
    tools.info("%s returned", name, extra=told())
