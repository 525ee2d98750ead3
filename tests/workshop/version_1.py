"""A Workshop's database as schema version 1 left it: its tables word for word, and a few rows."""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

TABLES = """
CREATE TABLE events (
    rid INTEGER PRIMARY KEY, event_id TEXT NOT NULL UNIQUE, user_id TEXT, event TEXT, model TEXT, input TEXT,
    output TEXT, convo_id TEXT, properties TEXT NOT NULL, attachments TEXT NOT NULL, feature_flags TEXT NOT NULL,
    timestamp TEXT, is_pending INTEGER NOT NULL, project_id TEXT, received_at TEXT NOT NULL,
    happened_at TEXT GENERATED ALWAYS AS (coalesce(timestamp, received_at)) STORED
);
CREATE INDEX events_by_time ON events (happened_at, rid);
CREATE INDEX events_by_user ON events (user_id, happened_at);
CREATE TABLE signals (
    id INTEGER PRIMARY KEY, event_id TEXT NOT NULL, name TEXT NOT NULL, signal_type TEXT NOT NULL, sentiment TEXT,
    timestamp TEXT, properties TEXT NOT NULL, attachment_id TEXT, received_at TEXT NOT NULL
);
CREATE UNIQUE INDEX signals_once ON signals (event_id, name, coalesce(timestamp, ''), properties);
CREATE TABLE users (
    user_id TEXT PRIMARY KEY, traits TEXT NOT NULL, first_seen TEXT NOT NULL, last_seen TEXT NOT NULL
);
CREATE TABLE spans (
    trace_id TEXT NOT NULL, span_id TEXT NOT NULL, event_id TEXT, parent_id TEXT, name TEXT NOT NULL,
    kind TEXT NOT NULL, status TEXT NOT NULL, error TEXT, input TEXT, output TEXT, start_time TEXT, end_time TEXT,
    attributes TEXT NOT NULL, events TEXT NOT NULL, resource TEXT NOT NULL, PRIMARY KEY (trace_id, span_id)
);
CREATE INDEX spans_by_event ON spans (event_id);
CREATE TABLE traces (
    trace_id TEXT NOT NULL, event_id TEXT NOT NULL, declared INTEGER NOT NULL, PRIMARY KEY (trace_id, event_id)
);
CREATE INDEX traces_by_event ON traces (event_id);
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
INSERT INTO meta VALUES ('schema_version', '1'), ('created_at', '2026-01-01T00:00:00.000000Z');
"""
COUNT = 20


def make(path: Path, count: int = COUNT) -> None:
    """Write such a file: `count` events, each with a failed tool call and a signal, and one identified user."""
    db = sqlite3.connect(path)
    db.execute("PRAGMA journal_mode = WAL")
    db.executescript(TABLES)
    for number in range(count):
        moment = f"2026-01-01T00:00:{number % 60:02}.000000Z"
        attachments = [{"type": "text", "value": "x"}] if number == 3 else []
        event: tuple[Any, ...] = (
            number + 1, f"e{number}", f"u{number % 2}", "chat", "m", f"q{number}", "a", f"c{number // 5}",
            json.dumps({"region": "eu" if number % 4 else "us", "n": number}), json.dumps(attachments), "{}",
            moment, number == 7, None, moment,
        )  # fmt: skip
        db.execute(f"INSERT INTO events VALUES ({', '.join('?' * 15)})", event)  # noqa: S608
        values = (f"t{number}", f"s{number}", f"e{number}", "look", "tool", "error", "boom", moment)
        db.execute(
            "INSERT INTO spans (trace_id, span_id, event_id, name, kind, status, error, start_time, attributes, events,"
            " resource) VALUES (?, ?, ?, ?, ?, ?, ?, ?, '{}', '[]', '{}')",
            values,
        )
        db.execute("INSERT INTO traces VALUES (?, ?, 0)", (f"t{number}", f"e{number}"))
        db.execute(
            "INSERT INTO signals VALUES (?, ?, 's', 'default', NULL, NULL, '{}', NULL, ?)",
            (number + 1, f"e{number}", moment),
        )
    db.execute("INSERT INTO users VALUES ('u0', '{\"plan\": \"pro\"}', ?, ?)", ("2026-01-01T00:00:00.000000Z",) * 2)
    db.commit()
    db.close()
