"""The pages of signals as HTML: states, figures, hits with what was found, and nothing hostile alive."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from raindrop_logging.workshop.pages import signal_figures
from raindrop_logging.workshop.pages import text as page_text
from raindrop_logging.workshop.signals import excerpts as signal_excerpts
from raindrop_logging.workshop.signals.store import Rate
from tests.workshop.test_pages import EVIL, Elements
from tests.workshop.wire_bodies import ai_event, of_event, otlp, otlp_span

if TYPE_CHECKING:
    import httpx

NOW = datetime.now(UTC).isoformat()


def _said(event_id: str, question: str, answer: str = "fine", model: str = "m1") -> dict[str, object]:
    return ai_event(event_id, timestamp=NOW, ai_data={"input": question, "output": answer, "model": model})


def _in_conversation(event_id: str, question: str) -> dict[str, object]:
    said = {"input": question, "output": "fine", "model": "m1", "convo_id": "c/1"}
    return ai_event(event_id, timestamp=NOW, ai_data=said)


def _define(client: httpx.Client, name: str = "apples", **definition: object) -> str:
    answer = client.post("/api/signals", json={"name": name, "definition": {"on": "input", **definition}})
    assert answer.status_code == 201
    return str(answer.json()["id"])


def test_all_signals_are_listed(client: httpx.Client) -> None:
    """Built-in ones labelled, users' and sent ones; each with its hits and its share of the last days' events."""
    _define(client, keywords=["apple"])
    client.post("/v1/events/track", json=[_said("a", "an apple"), _said("b", "a pear")])
    client.post("/v1/signals/track", json={"event_id": "b", "signal_name": "thumbs_up"})
    page = client.get("/signals").text
    rows = {
        piece.partition('"')[0]: piece.partition("</tr>")[0]
        for piece in page.split("data-signal-row=")[1:]
        for piece in [piece[1:]]
    }
    assert {"frustration", "tool_error", "instrumented:thumbs_up"} < set(rows)
    assert "heuristic" in rows["frustration"]
    assert "heuristic" not in rows["tool_error"]
    own = next(row for name, row in rows.items() if ">apples<" in row)
    assert "1 of 2, 50 %" in own
    assert "data-switch" in own
    assert "data-switch" not in rows["instrumented:thumbs_up"]


def test_two_signals_of_one_name_are_apart(client: httpx.Client) -> None:
    """One that was sent and a rule that found nothing have charts of their own."""
    client.post("/v1/events/track", json=[_said("a", "an apple"), _said("b", "a pear")])
    client.post("/v1/signals/track", json={"event_id": "a", "signal_name": "frustration"})
    page = client.get("/signals").text
    sent, built_in = (
        page.partition(f'data-signal-row="{name}"')[2].partition("</tr>")[0]
        for name in ("instrumented:frustration", "frustration")
    )
    assert "1 of 2, 50 %" in sent
    assert "0 of 2, 0 %" in built_in


def test_a_conversation_shows_each_turn_with_its_signals(client: httpx.Client) -> None:
    """Those that a rule found stand beside their turn like those that were sent, and can be marked there."""
    _define(client, keywords=["apple"])
    client.post("/v1/events/track", json=[_in_conversation("a", "an apple"), _in_conversation("b", "a pear")])
    client.post("/v1/signals/track", json={"event_id": "b", "signal_name": "thumbs_up"})
    html = client.get("/conversations/c/1").text
    first, second = (piece.partition("<footer")[0] for piece in html.split('data-linked="')[1:])
    assert ('data-signal="apples"' in first, 'data-signal="apples"' in second) == (True, False)
    assert ('data-signal="thumbs_up"' in first, 'data-signal="thumbs_up"' in second) == (False, True)
    assert 'data-mark="wrong"' in first
    assert {"/users/u1", "/events?model=m1"} <= {attrs.get("href") for _, attrs in Elements(html).found}


def test_states_are_told(client: httpx.Client) -> None:
    """Off, paused with the reason, active."""
    client.post("/v1/events/track", json=_said("a", "a" * 60 + "!"))
    client.patch("/api/signals/nsfw", json={"enabled": False})
    _define(client, "slow", patterns=["(a|aa|aaa|aaaa)+$"])
    states = {"off", "paused", "active"}
    page = ""
    while not all(f'data-state="{state}"' in page for state in states):
        page = client.get("/signals").text
    assert "make them simpler" in page


def test_hits_are_marked_where_they_were_found(client: httpx.Client) -> None:
    """A keyword in any spelling, a pattern, a tool's error; and the rates by model, event and a property."""
    apples = _define(client, keywords=["don't like"])
    client.post("/v1/events/track", json=[_said("a", "I DON\u2019T   like it", model="m2"), _said("b", "I do")])
    page = client.get(f"/signals/{apples}?by=property.region").text
    assert "<mark>DON\u2019T   like</mark>" in page
    assert "1 of 1" in page
    assert f"/events?{'signal=apples&amp;model=m2'}" in page
    assert '<option value="property.region" selected>' in page
    client.post("/v1/traces", json=otlp(otlp_span(of_event("b"), status={"code": 2, "message": "no answer"})))
    assert "no answer" in client.get("/signals/tool_error").text.partition('class="failure"')[2]


def test_sent_signal_has_a_page(client: httpx.Client) -> None:
    """Its events, without a switch or a definition; whatever its name holds."""
    name = "a/b?c#d"
    client.post("/v1/events/track", json=_said("a", "hello there"))
    client.post("/v1/signals/track", json={"event_id": "a", "signal_name": name})
    page = client.get(f"/signals/{quote('instrumented:' + name, safe='')}").text
    assert "hello there" in page
    assert "data-switch" not in page


@pytest.mark.parametrize(
    "path", ["/signals/none", "/signals/none/edit", "/signals/nsfw/edit", "/signals/nsfw?cursor=x"]
)
def test_what_is_not_there(shared: httpx.Client, path: str) -> None:
    """No such signal, no such page of its hits, none that can be edited."""
    assert shared.get(path).status_code == 404


def test_form_keeps_every_part_of_a_definition(client: httpx.Client) -> None:
    """Editing shows all that was defined, so that saving loses nothing."""
    signal_id = _define(client, patterns=["a</textarea>", "b"], unless=["c"], only_with=["word"], case_sensitive=True)
    page = client.get(f"/signals/{signal_id}/edit").text
    for kept in (
        "a&lt;/textarea&gt;\nb</textarea>",
        ">c</textarea>",
        ">word</textarea>",
        'name="case_sensitive" checked',
    ):
        assert kept in page


def test_hostile_signals_are_text(client: httpx.Client) -> None:
    """HTML in a signal's name, words, description and hits stays text on every page."""
    draft = {"name": EVIL[:100], "description": EVIL, "definition": {"on": "either", "keywords": [EVIL]}}
    signal_id = client.post("/api/signals", json=draft).json()["id"]
    client.post(
        "/v1/events/track",
        json=ai_event("e", event=EVIL, ai_data={"input": EVIL, "model": EVIL}, properties={EVIL: EVIL}),
    )
    client.post("/v1/signals/track", json={"event_id": "e", "signal_name": EVIL})
    sent = quote(f"instrumented:{EVIL}", safe="")
    by = quote(f"property.{EVIL}", safe="")
    for path in (
        "/signals",
        f"/signals/{signal_id}?by={by}",
        f"/signals/{signal_id}/edit",
        f"/signals/{sent}",
        "/events/e",
    ):
        answer = client.get(path)
        assert answer.status_code == 200, path
        page = Elements(answer.text)
        scripts = [attrs for tag, attrs in page.found if tag == "script"]
        assert all((attrs["src"] or "").startswith("/static/") for attrs in scripts)
        assert not [tag for tag, attrs in page.found if any(name.startswith(("on", "style")) for name in attrs)]
        assert {attrs.get("src") for tag, attrs in page.found if tag == "img"} == {"/static/drop.svg"}
        assert "<script>alert(1)</script>" in page.text


def test_marks_whole_words_first() -> None:
    """A keyword inside another word is marked only where it stands alone nowhere."""
    marked = [(part.text, part.hit) for part in signal_excerpts.marked("windows win", "win")]
    assert marked == [("windows ", False), ("win", True)]
    assert [part.text for part in signal_excerpts.marked("日本語", "本") if part.hit] == ["本"]
    assert [part.hit for part in signal_excerpts.marked("text", " ")] == [False]


def test_small_chart_has_a_bar_for_each_day_with_events() -> None:
    """The highest day fills the height, a day without the signal shows a trace, one without events nothing."""
    spark = signal_figures.spark((5, 0, 0), ("2026-01-01", "2026-01-02", "2026-01-03"), (10, 10, 0))
    assert [tick.height for tick in spark.ticks] == [signal_figures.SPARK_HEIGHT, 1.0]
    assert (spark.share, spark.hits, spark.ticks[0].label) == (0.25, 5, "Jan 1: 5 of 10, 50 %")


def test_chart_by_day_has_no_gaps_in_its_axis() -> None:
    """A day without events keeps its place."""
    drawn = signal_figures.daily(
        [Rate(value="2026-01-01", hits=1, events=2), Rate(value="2026-01-03", hits=0, events=5)]
    )
    assert drawn is not None
    assert drawn.table[-3:] == (("Jan 1", "50 %"), ("Jan 2", ""), ("Jan 3", "0 %"))
    assert signal_figures.daily([]) is None


@pytest.mark.parametrize(
    ("share", "text"),
    [(None, "\u2013"), (0.0, "0 %"), (0.0004, "<0.1 %"), (0.0351, "3.5 %"), (0.999, "99.9 %"), (1.0, "100 %")],
)
def test_percent(share: float | None, text: str) -> None:
    """One digit behind the point, and none where it says nothing."""
    assert page_text.percent(share) == text
