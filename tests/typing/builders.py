"""Checked by mypy and pyright, never run: what both see of each builder in `extra`, right and wrong.

A wrong use carries the error that it must be; one that is none any more is an error itself, in both.
"""

from datetime import UTC, datetime

from raindrop_logging import extra

extra.ai(user_id="u", event="chat", input="q", output="a", model="m", convo_id="c", timestamp=1.5)  # right
extra.ai(event_id=None, properties={"a": object()}, attachments=[{"value": "x"}], feature_flags={"a": "b"})  # right
extra.ai(usr_id="u")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]  # wrong key
extra.ai(user_id=5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # wrong type
extra.ai(input="q", properties=["no"])  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # wrong type

extra.event(user_id="u", event="opened", attachments=[{"type": "code", "value": "x", "language": "c"}])  # right
extra.event(input="q")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]  # wrong key
extra.event(event=b"chat")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # wrong type
extra.event(feature_flags={"new": True})  # type: ignore[dict-item]  # pyright: ignore[reportArgumentType]  # wrong type

extra.begin(event_id="e", user_id="u", event="chat", input="q", model="m", convo_id="c")  # right
extra.begin(output="a")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]  # wrong key
extra.begin(timestamp=[2026])  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # wrong type

extra.update(event_id="e", properties={"n": 1}, timestamp=datetime.now(UTC))  # right
extra.update(outputs="a")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]  # wrong key
extra.update(model=4)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # wrong type

extra.finish(event_id="e", output="a", attachments=[{"value": "a plan", "role": "output"}])  # right
extra.finish(event_idd="e")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]  # wrong key
extra.finish(output={"text": "a"})  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # wrong type

extra.signal(event_id="e", name="thumbs_up", signal_type="feedback", sentiment="POSITIVE", comment="!")  # right
extra.signal(name="x", value=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]  # wrong key
extra.signal(name="x", sentiment="GOOD")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # wrong type
extra.signal(name="x", signal_type="thumb")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # wrong type
extra.signal(event_id="e")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]  # missing key

extra.identify(user_id="u", traits={"plan": "pro", "age": 7})  # right
extra.identify(traits={}, user="u")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]  # wrong key
extra.identify(traits=[("plan", "pro")])  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # wrong type
extra.identify(user_id="u")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]  # missing key

extra.span(kind="tool", name="search", input={"q": 1}, output=[1], duration_ms=1.5, parent_id=None)  # right
extra.span(kind="llm", name="plan", messages=[{"role": "user", "content": "q"}], input_tokens=1, tools=[print])  # right
extra.span(kind="tool", name="s", attachments=None)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]  # wrong key
extra.span(kind="tol", name="s")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # wrong type
extra.span(kind="llm", name="s", input_tokens="7")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # wrong type
extra.span(kind="tool")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]  # missing key
extra.span(name="search")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]  # missing key
