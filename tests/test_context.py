"""What is bound, where it reaches, and where it ends."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from raindrop_logging import bind, carry, extra, traceparent
from raindrop_logging.context import current_scope
from tests.wire.harness import attach, log

if TYPE_CHECKING:
    from tests.wire.recorder import Recorder

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def _bound(key: str) -> Any:
    return (current_scope() or {}).get(key)


@bind(user_id="decorated")
def _function(key: str) -> Any:
    return _bound(key)


@bind(user_id="decorated")
async def _coroutine(key: str) -> Any:
    await asyncio.sleep(0)
    return _bound(key)


def test_it_decorates_functions_and_coroutine_functions() -> None:
    """Each call is bound for as long as it runs, and keeps the function's own name."""
    assert _function("user_id") == "decorated"
    assert asyncio.run(_coroutine("user_id")) == "decorated"
    assert (_function.__name__, _bound("user_id")) == ("_function", None)


def test_tasks_that_run_at_the_same_time_do_not_see_each_other() -> None:
    """Every task has what was bound in it, whatever the others bind meanwhile."""

    async def request(user: str) -> Any:
        async with bind(user_id=user):
            await asyncio.sleep(0)
            return _bound("user_id")

    async def serve() -> list[Any]:
        return await asyncio.gather(*(request(f"u{number}") for number in range(20)))

    assert asyncio.run(serve()) == [f"u{number}" for number in range(20)]


def test_a_thread_of_a_pool_knows_what_was_bound_only_when_it_is_carried() -> None:
    """carry takes it along for each call; without it a thread starts with nothing, and afterwards nothing is left."""
    with ThreadPoolExecutor(1) as pool:
        with bind(user_id="u1"):
            carried, plain = pool.submit(carry(_bound), "user_id"), pool.submit(_bound, "user_id")
        assert (carried.result(), plain.result()) == ("u1", None)
        assert pool.submit(_bound, "user_id").result() is None


def test_a_trace_goes_on_in_another_process(recorder: Recorder) -> None:
    """What traceparent gives in one process, bind takes in the next: the span there is a child of the one here."""
    handler = attach(recorder.endpoint)
    with bind(traceparent=f"00-{TRACE}-{SPAN}-01"):
        assert traceparent() == f"00-{TRACE}-{SPAN}-01"
        log.info("t", extra=extra.span(kind="tool", name="search"))
    assert handler.flush(5)
    (span,) = recorder.spans()
    assert (span["trace_id"], span["parent_id"]) == (TRACE, SPAN)


@pytest.mark.parametrize(
    "header",
    [None, "", "nonsense", f"ff-{TRACE}-{SPAN}-01", f"00-{'0' * 32}-{SPAN}-01", f"00-{TRACE}-{'0' * 16}-01", 5],
)
def test_a_header_that_is_none_is_ignored(header: Any) -> None:
    """As the W3C recommendation asks: no trace is better than a wrong one, and nothing raises."""
    with bind(traceparent=header):
        assert traceparent() is None
