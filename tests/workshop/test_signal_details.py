"""What a user changed in an output, as parts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from raindrop_logging.workshop.records import Signal
from raindrop_logging.workshop.signals.details import MAX_PIECES, EditPart, comment, difference, edited, shortened

_texts = st.one_of(st.text("ab \n.日é", max_size=40), st.text(max_size=40))


@given(_texts, _texts)
def test_the_parts_are_both_texts(before: str, after: str) -> None:
    """Without what was added they are the text before, without what was removed the text after."""
    parts = difference(before, after)
    assert "".join(part.text for part in parts if part.change != "added") == before
    assert "".join(part.text for part in parts if part.change != "removed") == after


def test_words_are_compared() -> None:
    """A changed word is one part, and what stays is not cut up; without spaces each character is a word."""
    assert difference("the quick fox", "the slow fox") == (
        EditPart(change="same", text="the "),
        EditPart(change="removed", text="quick"),
        EditPart(change="added", text="slow"),
        EditPart(change="same", text=" fox"),
    )
    assert [part.text for part in difference("日本語", "日英語")] == ["日", "本", "英", "語"]


def test_long_unchanged_stretches_are_cut() -> None:
    """A small edit of a long text is found at a glance."""
    found = shortened(difference("a" * 500 + " old " + "b" * 500, "a" * 500 + " new " + "b" * 500))
    assert [part.change for part in found] == ["same", "removed", "added", "same"]
    assert found[0].text == "…" + "a" * 59 + " "
    assert found[-1].text == " " + "b" * 59 + "…"


def test_long_texts_are_compared_by_line_and_then_as_a_whole() -> None:
    """So that no pair of texts takes long."""
    lines = ["word " * 10 + "\n" for _ in range(MAX_PIECES)]
    changes = [part.change for part in difference("".join(lines), "".join([*lines[:-1], "other\n"]))]
    assert changes == ["same", "removed", "added"]
    assert [part.change for part in difference("a\n" * 9 * MAX_PIECES, "b")] == ["removed", "added"]


def test_a_text_that_was_written_anew_is_not_cut_up() -> None:
    """Where little more than small words stayed, all of the old text is taken away and all of the new one put in."""
    before = "I cannot help with that, since the order is not mine to change."
    after = "# Plan\n\n1. Take the parcel back, with the label.\n2. Refund it."
    assert difference(before, after) == (
        EditPart(change="removed", text=before),
        EditPart(change="added", text=after),
    )


def test_what_is_no_text_is_no_comment_and_no_edit() -> None:
    """A signal's properties may hold anything."""
    odd = Signal(event_id="e", name="s", properties={"comment": {"a": 1}, "after": None})
    assert (comment(odd), edited(odd, "text")) == (None, ())
    said = Signal(event_id="e", name="s", properties={"comment": "no", "after": "new"})
    assert (comment(said), edited(said, None)) == ("no", (EditPart(change="added", text="new"),))
