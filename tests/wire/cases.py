"""One table: what a service says, and what must then go over the wire.

A case that has the name of a recording of the official SDK does what that recording's program did, so that `test_wire`
can lay the two side by side.
"""

from __future__ import annotations

from tests.wire import cases_events, cases_interactions, cases_sending, cases_spans
from tests.wire.expect import Case

CASES: tuple[Case, ...] = (
    *cases_events.CASES,
    *cases_interactions.CASES,
    *cases_spans.CASES,
    *cases_sending.CASES,
)

NOT_HERE: dict[str, str] = {
    "app_git_on": "no application commit is read; a service that wants one names it in `defaults`",
    "begin_app_git_leak": "a leak of the application commit, which is not read here",
    "buffer_full": "a matter of the queue, not of the wire",
    "connections": "test_behaviour counts connections",
    "drop_in_flight_exit": "a matter of the exit, not of the wire",
    "fork_child": "a matter of processes, not of the wire",
    "flush_race": "a matter of flush, not of the wire",
    "host_log_recursion": "test_invalid_blocks says whose records are never captured",
    "hung_server_exit": "a matter of the exit, not of the wire",
    "key_logged": "test_write_key_stays_secret looks for the key everywhere",
    "open_interactions_memory": "a matter of memory, not of the wire",
    "partial_serial": "the interactions of partial_not_batched at a slow server",
    "probe_default": "a matter of settings, not of the wire",
    "race_props_default_switch": "race_props at another switch interval",
    "redact": "this version refuses the key `redact`",
    "redact_spans": "this version refuses the key `redact`",
    "root_logger_effects": "nothing is sent",
    "shutdown_then_use": "a matter of the exit, not of the wire",
    "slow_server": "a matter of flush, not of the wire",
    "spans_big": "the cap of big_event, on spans; test_behaviour has it",
    "spans_leak": "associations are bound by context, not by records",
    "spans_many": "spans_manual, five thousand times",
    "status_500_flush": "status_500, on the caller's thread, where nothing is sent here",
    "workshop_mirror_bypass": "an option of the official SDK; workshop_mirror mirrors every span",
}
"""Recordings without a case, and why."""
