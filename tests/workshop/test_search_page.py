"""The search page as HTML: hits marked, the filter kept, what is not whole said in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.workshop.test_pages import EVIL, Elements
from tests.workshop.wire_bodies import ai_event

if TYPE_CHECKING:
    import httpx


def _said(event_id: str, question: str, answer: str, **changes: object) -> dict[str, object]:
    data = {"input": question, "output": answer, "model": changes.pop("model", "m1")}
    return ai_event(event_id, ai_data=data, **changes)


def _marked(page: str) -> list[str]:
    return [piece.partition("</mark>")[0] for piece in page.split("<mark>")[1:]]


def test_hits_are_marked(client: httpx.Client) -> None:
    """What was searched for is marked in both texts, the best hit first; the box keeps what was typed."""
    client.post("/v1/events/track", json=[_said("a", "Refund, please", "no refund"), _said("b", "hello", "hi")])
    page = client.get("/search", params={"q": "refund"}).text
    assert _marked(page) == ["Refund", "refund"]
    assert "1 event, best first" in page
    box = next(attrs for tag, attrs in Elements(page).found if tag == "input" and attrs.get("name") == "q")
    assert box["value"] == "refund"


def test_side_mode_and_filter_are_kept(client: httpx.Client) -> None:
    """A filter of any list comes along in the form and as a chip that leads to the search without it."""
    client.post(
        "/v1/events/track",
        json=[_said("a", "order 77", "none", model="m2"), _said("b", "none", "order 78"), _said("c", "order 79", "-")],
    )
    page = client.get("/search?q=%5Cd%7B2%7D&mode=regex&in=input&model=m2").text
    assert _marked(page) == ["77"]
    assert "last stored first" in page
    elements = Elements(page).found
    hidden = [(attrs["name"], attrs["value"]) for tag, attrs in elements if attrs.get("type") == "hidden"]
    assert hidden == [("model", "m2")]
    chosen = [attrs["value"] for tag, attrs in elements if attrs.get("type") == "radio" and "checked" in attrs]
    assert chosen == ["regex", "input"]
    without = next(attrs["href"] for tag, attrs in elements if "filter" in (attrs.get("class") or "").split())
    assert without == "/search?q=%5Cd%7B2%7D&mode=regex&in=input"
    assert _marked(client.get(str(without)).text) == ["79", "77"]


def test_more_hits_follow(client: httpx.Client) -> None:
    """A page leads to the next one and back to the first, each with the same search."""
    client.post("/v1/events/track", json=[_said(str(number), f"apple {number}", "x") for number in range(3)])
    first = client.get("/search?q=apple&mode=regex&limit=2").text
    following = next(str(attrs["href"]) for _, attrs in Elements(first).found if attrs.get("rel") == "next")
    second = client.get(following)
    assert (first.count("<mark>"), second.text.count("<mark>")) == (2, 1)
    assert 'href="/search?q=apple&amp;mode=regex&amp;limit=2"' in second.text


@pytest.mark.parametrize(
    ("query", "message"),
    [("q=(a&mode=regex", "missing )"), ("q=a&mode=x", "text or regex"), ("q=a&colour=red", "no filter"),
     ("q=a&cursor=x", "cursor"), ("q=a&since=soon", "how long ago")],
)  # fmt: skip
def test_what_cannot_be_searched_is_said(shared: httpx.Client, query: str, message: str) -> None:
    """A bad pattern, choice, filter or cursor is answered with 400 in the page, which keeps what was typed."""
    answer = shared.get(f"/search?{query}")
    assert answer.status_code == 400
    assert message in answer.text
    assert 'role="alert"' in answer.text
    assert 'name="q"' in answer.text


def test_syntax_is_told_before_anything_is_typed(shared: httpx.Client) -> None:
    """Each example leads to its own search."""
    page = Elements(shared.get("/search").text)
    examples = [str(attrs["href"]) for tag, attrs in page.found if (attrs.get("href") or "").startswith("/search?")]
    assert len(examples) == 5
    assert all(shared.get(example).status_code == 200 for example in examples)


def test_nothing_found(shared: httpx.Client) -> None:
    """An empty answer says so and what to try: of words others than of a pattern."""
    for mode, advice in (("text", "fewer words"), ("regex", "(?i)")):
        page = Elements(shared.get(f"/search?q=zzyzx&mode={mode}").text)
        assert "No event holds this" in page.text
        assert advice in page.text
        assert "0 events" not in page.text


def test_hostile_search_is_text(client: httpx.Client) -> None:
    """HTML in the question, in the filter and in what is found stays text, marks included."""
    client.post("/v1/events/track", json=_said("a", EVIL, EVIL, model=EVIL))
    page = client.get("/search", params={"q": '"alert(1)"', "model": EVIL})
    assert page.status_code == 200
    elements = Elements(page.text)
    scripts = [attrs.get("src") for tag, attrs in elements.found if tag == "script"]
    assert scripts == ["/static/theme.js", "/static/workshop.js"]
    assert not [tag for tag, attrs in elements.found if any(name.startswith(("on", "style")) for name in attrs)]
    assert {attrs.get("src") for tag, attrs in elements.found if tag == "img"} == {"/static/drop.svg"}
    assert _marked(page.text) == ["alert(1"] * 2
