"""Spans without passing anything around: decorators, context managers, a model's call, a failure, threads.

Shows:   @interaction opens the trace, begin inside says whose it is; everything nests; carry() takes it to a thread
Run:     RAINDROP_WRITE_KEY=... python examples/08_tracing.py
         (or RAINDROP_WORKSHOP=1 and no key, with the Workshop running)
Arrives: 1 event, 6 spans, 1 failed
"""

from concurrent.futures import ThreadPoolExecutor

import raindrop_logging
from raindrop_logging import begin, carry, interaction, llm_span, task_span, tool

raindrop_logging.init()
QUESTION = "Which of these two is late?"


@tool("track_parcel", version=2)
def track(parcel: str) -> dict[str, int]:
    """Ask the carrier."""
    if parcel == "PX-8":
        raise TimeoutError("the carrier did not answer")
    return {"days": len(parcel)}


@interaction("answer_customer")
def answer() -> str:
    """One question, from begin to finish."""
    turn = begin(user_id="ada", event="chat", input=QUESTION)
    with task_span("look_up") as span, ThreadPoolExecutor(2) as pool:
        parcels = [pool.submit(carry(track), parcel) for parcel in ("PX-7", "PX-8")]
        span.set_properties({"late": sum(parcel.exception() is not None for parcel in parcels)})
    with llm_span("draft", model="gpt-4o-mini", messages=[{"role": "user", "content": QUESTION}]) as call:
        call.record_output("PX-8, I think.")
        call.set_token_usage(input_tokens=31, output_tokens=9)
    turn.finish(output=turn.with_tool("check_tone", lambda: "PX-8 may be late."))
    return "PX-8"


answer()
