"""The verbs of the official SDKs: an interaction that several functions work on, without passing it around.

Shows:   init in code; begin, set_property, a tool that is over, resume_interaction, finish; a signal for its id
Run:     RAINDROP_WRITE_KEY=... python examples/07_interactions.py
         (or RAINDROP_WORKSHOP=1 and no key, with the Workshop running)
Arrives: 2 events, 1 signal, 2 spans, 1 user
"""

import raindrop_logging

raindrop_logging.init()  # one handler on the logger `raindrop`; a logging configuration does as well


def look_up(order: str) -> str:
    """Ask the shop, and say so."""
    interaction = raindrop_logging.resume_interaction()  # the one that is open around here
    interaction.set_property("order", order)
    interaction.track_tool("orders", input={"order": order}, output={"days": 9}, duration_ms=84)
    return "It left Lyon nine days ago."


def reply(text: str) -> None:
    """Answer, wherever in the program that is."""
    raindrop_logging.resume_interaction().finish(output=text)


chat = raindrop_logging.begin(user_id="bruno", event="chat", input="Is order 1057 lost?", convo_id="bruno-1")
reply(look_up("1057"))
raindrop_logging.track_signal(chat.id, "thumbs_up", sentiment="POSITIVE")
raindrop_logging.identify("bruno", {"plan": "pro"})

with raindrop_logging.begin(user_id="bruno", event="chat", input="And 1058?") as other:  # finishes itself
    with other.tool_span("orders", input={"order": "1058"}) as span:
        span.record_output({"days": 1})
    other.finish(output="It is on its way.", model="gpt-4o-mini")
