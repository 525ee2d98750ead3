"""The pages of a launcher and its sub-agents: each leads to the other, and what names them stays text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from raindrop_logging.workshop.pages.text import address
from tests.workshop.test_handoffs import LAUNCH, TURN, own, post, spans
from tests.workshop.test_pages import EVIL, Elements
from tests.workshop.wire_bodies import SPAN, TRACE, ai_event, launch, subagent_span

if TYPE_CHECKING:
    import httpx


def test_page_links_both_ways(client: httpx.Client) -> None:
    """Each page leads to the other; what has not arrived is no link, and a sub-agent leads to its launch."""
    post(client, TURN, LAUNCH, spans(launch("turn", "waiting", agent="later", spanId="ff000000000000aa")), own())
    turn, job = (Elements(client.get(f"/events/{name}").text) for name in ("turn", "job"))
    links = [attrs.get("href") for tag, attrs in turn.found if tag == "a"]
    assert "/events/job" in links
    assert "/events/waiting" not in links
    assert links.count(f"#span-{TRACE}-{SPAN}") == 3  # strip, step of the turn, and the sub-agent's launch
    assert [attrs["data-state"] for _, attrs in turn.found if "data-state" in attrs] == ["running", "queued"]
    assert "nothing has arrived from it yet" in turn.text
    assert "/events/turn" in [attrs.get("href") for tag, attrs in job.found if tag == "a"]
    assert [attrs["data-state"] for _, attrs in job.found if "data-state" in attrs] == ["running"]
    assert "support_turn" in job.text


def test_a_launcher_that_has_not_arrived(client: httpx.Client) -> None:
    """A sub-agent whose launcher is missing names it, and leads nowhere."""
    post(client, own())
    page = client.get("/events/job").text
    assert "which has not arrived" in page
    assert "/events/turn" not in page


def test_hostile_hand_offs_are_text(client: httpx.Client) -> None:
    """Names and ids of markup and script are the text they are, on both pages."""
    parent, child = EVIL + "/turn?#%", EVIL + "\u202e../job"
    named = {"key": "raindrop.handoff.parentSpanId", "value": {"stringValue": EVIL}}
    post(client, ("/v1/events/track", ai_event(parent, event=EVIL)), spans(launch(parent, child, agent=EVIL)))
    post(client, spans(subagent_span(child, parent, named, agent=EVIL)))
    for event_id, linked in ((parent, child), (child, parent)):
        answer = client.get(address(event_id))
        assert answer.status_code == 200
        page = Elements(answer.text)
        assert not {tag for tag, _ in page.found} & {"iframe", "object", "base", "form", "style", "textarea"}
        scripts = [str(attrs.get("src")) for tag, attrs in page.found if tag == "script"]
        assert all(script.startswith("/static/") for script in scripts)
        assert not [attrs for _, attrs in page.found if any(name.startswith(("on", "style")) for name in attrs)]
        assert linked in [attrs.get("data-linked") for _, attrs in page.found]
        assert address(linked) in [attrs.get("href") for _, attrs in page.found]
