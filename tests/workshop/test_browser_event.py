"""An event's page and a conversation's in a real browser: what opens, what switches, what the keyboard does."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.workshop.chromium import EXECUTABLE, LIVE, Chromium, open_live
from tests.workshop.wire_bodies import ai_event, of_event, otlp, otlp_span

if TYPE_CHECKING:
    import httpx

    from raindrop_logging.workshop import Running

pytestmark = pytest.mark.skipif(EXECUTABLE is None, reason="no Chromium on this machine")

PHONE = 375
FRAME = (
    "<h1>in a frame</h1><script>top.document.title = 'taken'</script><img src='http://evil.example/a.png'>"
    "<img src='/api/health'><meta http-equiv='refresh' content='0;url=http://evil.example/'>"
)
HOSTILE_MARKDOWN = (
    "# Title\n\n**bold** <b onclick=x>raw</b> [bad](javascript:alert(1)) [data](data:text/html,x) "
    "[good](https://x.example/a) ![far](http://evil.example/b.png)\n\n| a | b |\n|:--|--:|\n| 1 | 2 |\n\n\x1b[31mred"
)


def test_call_opens_to_arguments_and_result(workshop: Running, client: httpx.Client, browser: Chromium) -> None:
    """A tool's chip hides what it opens to: arguments, the error in red, and the way to its span."""
    client.post("/v1/events/track", json=ai_event())
    failed = {"status": {"code": 2, "message": "no answer"}}
    call = of_event("e1", traceloop__entity__name="pay", traceloop__entity__input='{"sum":5}')
    client.post("/v1/traces", json=otlp(otlp_span(call, **failed)))
    open_live(browser, workshop, "/events/e1")
    chip = "document.querySelector('[data-call=pay]')"
    assert "no answer" not in browser.ask(f"{chip}.innerText")
    browser.ask(f"{chip}.querySelector('summary').click()")
    opened = browser.ask(f"{chip}.innerText")
    assert "no answer" in opened
    assert '"sum": 5' in opened
    red, _, blue = browser.ask(
        "getComputedStyle(document.querySelector('.span.failed .bar rect')).fill.match(/\\d+/g).map(Number)"
    )
    assert red > 2 * blue


def test_markdown_or_raw(workshop: Running, client: httpx.Client, browser: Chromium) -> None:
    """Hostile Markdown is rendered harmlessly; the switch shows the text as it was sent, and is remembered."""
    client.post("/v1/events/track", json=ai_event(ai_data={"input": "q", "output": HOSTILE_MARKDOWN}))
    open_live(browser, workshop, "/events/e1")
    shown = "document.querySelector('.bubble.assistant').innerText"
    assert "**bold**" not in browser.ask(shown)
    assert browser.ask("[...document.querySelectorAll('.markdown a')].map((a) => a.href)") == [
        "https://x.example/a",
        "http://evil.example/b.png",
    ]
    assert browser.ask("document.querySelectorAll('.markdown img, .markdown b, .markdown [style]').length") == 0
    assert browser.ask("getComputedStyle(document.querySelector('.markdown td.to-right')).textAlign") == "right"
    browser.press("m")
    assert "**bold** <b onclick=x>raw</b>" in browser.ask(shown)
    open_live(browser, workshop, "/events/e1")
    assert "**bold**" in browser.ask(shown)


def test_messages_are_a_chat(workshop: Running, client: httpx.Client, browser: Chromium) -> None:
    """An input that is a list of messages is shown as these, the system's folded."""
    messages = [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": [{"type": "text", "text": "first question"}]},
        {"role": "assistant", "content": [{"type": "tool_use", "name": "look", "input": {"at": "it"}}]},
        {"role": "user", "content": "second question"},
    ]
    client.post("/v1/events/track", json=ai_event(ai_data={"input": json.dumps(messages), "output": "done"}))
    open_live(browser, workshop, "/events/e1")
    roles = "[...document.querySelectorAll('.turn > .bubble, .turn > .message')].map((one) => one.classList[1])"
    assert browser.ask(roles) == ["aside", "user", "assistant", "user", "assistant"]
    assert browser.ask("document.querySelector('.message.aside').open") is False
    open_live(browser, workshop, "/events")
    assert browser.ask("document.querySelector('.row .said').innerText") == "second question"


def test_frame_reaches_nothing(workshop: Running, client: httpx.Client, browser: Chromium) -> None:
    """A frame's own HTML is shown without script, network or a way out; the fixture sees every request."""
    client.post("/v1/events/track", json=ai_event(attachments=[{"type": "iframe", "value": FRAME}]))
    open_live(browser, workshop, "/events/e1")
    frame = "const frame = document.querySelector('iframe'); frame.loading = 'eager';"
    browser.ask(f"new Promise((done) => {{ {frame} frame.onload = done; frame.srcdoc += ' '; }}).then(() => true)")
    assert browser.ask("document.title").startswith("chat")
    assert browser.ask("document.querySelector('iframe').contentDocument") is None
    assert not [url for url in browser.requests if url.endswith("/api/health")]


def test_dark_or_light_is_remembered(workshop: Running, client: httpx.Client, browser: Chromium) -> None:
    """The system's preference holds until the switch is used; what was chosen holds from then on, on every page."""
    client.post("/v1/events/track", json=ai_event())
    ground = "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).slice(0, 3).reduce((a, b) => a + +b, 0)"
    browser.dark()
    open_live(browser, workshop, "/events/e1")
    assert browser.ask(ground) < 200
    browser.ask("document.querySelector('[data-theme-switch]').click()")
    assert browser.ask(ground) > 600
    open_live(browser, workshop, "/events")
    assert browser.ask(ground) > 600


def test_keyboard(workshop: Running, client: httpx.Client, browser: Chromium) -> None:
    """From the list to an event, to those beside it, to another page and back, without a mouse."""
    for number in range(3):
        client.post("/v1/events/track", json=ai_event(f"e{number}", timestamp=f"2026-05-07T19:00:0{number}Z"))
    open_live(browser, workshop, "/events")
    focused = "document.activeElement.closest('li')?.dataset.id"
    browser.press("j", "j", "k", "j")
    assert browser.ask(focused) == "e1"
    browser.open_by_keys("Enter")
    here = "document.body.dataset.event"
    assert browser.ask(here) == "e1"
    browser.wait("document.querySelector('[data-newer]:not([hidden])')")
    browser.open_by_keys("]")
    assert browser.ask(here) == "e0"
    browser.wait("document.querySelector('[data-newer]:not([hidden])')")
    browser.open_by_keys("[")
    assert browser.ask(here) == "e1"
    browser.wait("!document.querySelector('[data-keys-open]').hidden")
    browser.press("?")
    assert browser.ask("document.querySelector('[data-keys]').open")
    browser.press("Escape")
    assert not browser.ask("document.querySelector('[data-keys]').open")
    browser.open_by_keys("g", "c")
    assert browser.ask("location.pathname") == "/conversations"


def test_older_event_without_a_list(workshop: Running, client: httpx.Client, browser: Chromium) -> None:
    """An event opened by its address leads to the one before it all the same."""
    for number in range(2):
        client.post("/v1/events/track", json=ai_event(f"e{number}", timestamp=f"2026-05-07T19:00:0{number}Z"))
    open_live(browser, workshop, "/events/e1")
    browser.open_by_keys("]")
    assert browser.ask("document.body.dataset.event") == "e0"


def test_conversation_grows(workshop: Running, client: httpx.Client, browser: Chromium) -> None:
    """All turns in order as one chat, signals beside them, each leading to its event; a new turn joins by itself."""
    for number in (2, 1):
        data = {"input": f"question {number}", "output": f"answer {number}", "convo_id": "c/1"}
        event = ai_event(f"e{number}", timestamp=f"2026-05-07T19:00:0{number}Z", ai_data=data)
        client.post("/v1/events/track", json=event)
    client.post("/v1/signals/track", json={"event_id": "e1", "signal_name": "thumbs_up", "sentiment": "POSITIVE"})
    open_live(browser, workshop, "/conversations")
    browser.follow("document.querySelector('.row a')")
    bubbles = "[...document.querySelectorAll('.bubble .markdown')].map((one) => one.innerText)"
    assert browser.ask(bubbles) == ["question 1", "answer 1", "question 2", "answer 2"]
    assert browser.ask("document.querySelector('[data-linked=e1] .signal').dataset.signal") == "thumbs_up"
    browser.wait(LIVE)
    later = {"event_id": "e3", "user_id": "u1", "event": "chat", "ai_data": {"input": "question 3", "convo_id": "c/1"}}
    client.post("/v1/events/track_partial", json=later)
    browser.wait("document.querySelector('[data-linked=e3]')?.innerText.includes('question 3')")
    browser.follow("document.querySelector('[data-linked=e2] aside a')")
    assert browser.ask("document.body.dataset.event") == "e2"
    assert "Turn 2 of 3" in browser.ask("document.querySelector('.place').innerText")


@pytest.mark.parametrize("path", ["/events", "/events/e1", "/conversations", "/conversations/c1"])
def test_fits_a_phone(workshop: Running, client: httpx.Client, browser: Chromium, path: str) -> None:
    """Nothing is wider than a phone, whatever is opened and however long its words are."""
    long = "w" * 400
    output = f"{long}\n\n```\n{long}\n```\n\n| {long} | b |\n|---|---|\n| 1 | {long} |"
    attachments = [{"type": kind, "name": long, "value": long} for kind in ("code", "text", "image", "iframe")]
    data = {"input": long, "output": output, "convo_id": "c1", "model": long}
    log = [{"time": "2026-05-07T19:00:00Z", "level": "ERROR", "logger": long, "message": long, "error": long}]
    event = ai_event(
        event=long, user_id=long, ai_data=data, attachments=attachments, properties={"log": log, long: long}
    )
    client.post("/v1/events/track", json=event)
    client.post("/v1/traces", json=otlp(otlp_span(of_event("e1", traceloop__entity__name=long, long=long))))
    client.post("/v1/signals/track", json={"event_id": "e1", "signal_name": long, "properties": {"comment": long}})
    browser.narrow(PHONE)
    open_live(browser, workshop, path)
    browser.ask("document.querySelectorAll('details').forEach((part) => { part.open = true })")
    assert browser.ask("document.documentElement.scrollWidth") <= PHONE
