"""The work inside an interaction: a workflow with a tool that fails and a model call below it.

Shows:   kinds of spans; parent_id nests them; log.exception gives a span its error; messages and tokens of a model
Run:     RAINDROP_WRITE_KEY=... python examples/04_spans.py
         (or RAINDROP_WORKSHOP=1 and no key, with the Workshop running)
Arrives: 1 event, 3 spans, 1 failed
"""

import logging
import secrets
import time
from pathlib import Path

from raindrop_logging import bind, extra, load_config

load_config(Path(__file__).parents[1] / "configs" / "minimal.json")
log = logging.getLogger("shop.agent")
question, answer = "Where is parcel PX-7?", "I cannot reach the carrier, please ask again later."
workflow, started = secrets.token_hex(8), time.time()

with bind(event_id="ada-7", user_id="ada", event="chat"):
    try:
        raise TimeoutError("the carrier did not answer")  # noqa: TRY301 -- stands for a call that fails
    except TimeoutError:
        tool = extra.span(kind="tool", name="track_parcel", input={"parcel": "PX-7"}, parent_id=workflow)
        log.exception("tracking failed", extra=tool)
    messages = [{"role": "system", "content": "Be honest."}, {"role": "user", "content": question}]
    call = extra.span(kind="llm", name="answer", model="gpt-4o-mini", provider="openai", parent_id=workflow)
    call["raindrop"] |= {"messages": messages, "output": answer, "input_tokens": 31, "output_tokens": 14}
    log.info("the model answered", extra=call)
    whole = extra.span(kind="workflow", name="answer_customer", span_id=workflow, start_time=started, output=answer)
    log.info("done", extra=whole)
    log.info("answered ada", extra=extra.ai(input=question, output=answer))
