"""A job that runs elsewhere and reports as an event of its own: launched here, linked there, whatever becomes of it.

Shows:   Interaction.subagent and its headers; resume_subagent, which always says how it ended
Run:     RAINDROP_WRITE_KEY=... python examples/10_subagents.py
         (or RAINDROP_WORKSHOP=1 and no key, with the Workshop running)
Arrives: 3 events, 4 spans, 1 failed
"""

import raindrop_logging

raindrop_logging.init()


def research(headers: dict[str, str], job: str) -> None:
    """The other service: it takes a request's headers, and its own event is linked to the turn that sent them."""
    with raindrop_logging.resume_subagent(headers=headers, input=job) as run:
        if not job:
            raise ValueError("nothing to look for")  # the event says so, and its span is marked as failed
        run.finish(output=f"Found a green {job}.")


turn = raindrop_logging.begin(user_id="ada", event="chat", input="Find me a teapot, and something else")
for job in ("teapot", ""):
    carrier = turn.subagent(name="researcher", input=job)
    try:
        research(carrier.headers, job)  # in earnest: requests.post(url, json=job, headers=carrier.headers)
    except ValueError as error:
        print(f"the second job failed: {error}")
turn.finish(output="One is on its way.")
