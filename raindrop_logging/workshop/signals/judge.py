"""Which rule signals a text has: all rules asked at once, each text looked at once.

In: rules; the texts of events.  Out: what was found, and which rule costs too much.  Touches: a clock.
Most texts hold none of the words of any rule, and finding that out is all they cost: a text's words are compared
with the words of all keywords in one step, and only what may match is searched.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import Final

import msgspec

from raindrop_logging.workshop.signals.patterns import (
    Compiled,
    Phrase,
    TooSlowError,
    compiled,
    needed_words,
    plain,
    search,
    search_trusted,
    spaced,
    words,
)
from raindrop_logging.workshop.signals.rules import Definition, Place, Rule

MAX_JUDGED: Final = 100_000
"""Characters of a text that are looked at, from its beginning."""

MATCHED_CHARS: Final = 120
SAVINGS: Final = 0.25
"""Seconds that a rule may spend at once before it has to live on its allowance."""

ALLOWANCE: Final = 0.001
"""Seconds that a rule may spend on a text, on average."""

TOO_SLOW: Final = (
    "paused: its patterns took more than {limit} on a text, so events would have had to wait for it; "
    "make them simpler (no repeats inside repeats) and save it again"
)


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """One rule's hit in one text; `matched` is the beginning of what was found there."""

    signal_id: str
    version: int
    place: Place
    matched: str


class _Part:
    """What one rule asks of one place: one of its keywords, all those that may lie inside a word, or all its patterns.

    `needs` are words without which it cannot match. One keyword can take no longer than reading the text a few times,
    so nobody measures it.
    """

    __slots__ = ("needs", "patterns", "phrases", "shorter_than", "watch")

    def __init__(
        self,
        watch: _Watch,
        patterns: tuple[Compiled, ...] = (),
        *,
        phrases: tuple[Phrase, ...] = (),
        needs: frozenset[bytes] = frozenset(),
        shorter_than: int | None = None,
    ) -> None:
        self.watch = watch
        self.patterns = patterns
        self.phrases = phrases
        self.needs = needs
        self.shorter_than = shorter_than


class _Text:
    """One text in the forms that parts look at, each made when first asked for."""

    def __init__(self, text: str) -> None:
        self.whole = text[:MAX_JUDGED]
        self.plain = plain(self.whole)

    @cached_property
    def spaced(self) -> str:
        return spaced(self.plain)


class _Watch:
    """A rule while it is being asked: how much time it has left, and whether it was stopped.

    The package's own rules are tested to be quick and are not measured.
    """

    __slots__ = ("rule", "savings", "search", "stopped", "trusted", "unless")

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.trusted = rule.origin == "default"
        self.search = search_trusted if self.trusted else search
        self.savings = SAVINGS
        self.stopped: str | None = None
        self.unless = tuple(compiled(pattern) for pattern in rule.draft.definition.unless)


class _Place:
    """All parts that look at one kind of text, found by the words they need."""

    def __init__(self) -> None:
        self.by_word: dict[bytes, list[_Part]] = {}
        self.always: list[_Part] = []
        self._vocabulary: frozenset[bytes] = frozenset()

    def add(self, part: _Part, words_to_meet: Iterable[bytes]) -> None:
        """Any of these words makes the part worth asking; without any it is always asked."""
        met = tuple(words_to_meet)
        for word in met:
            self.by_word.setdefault(word, []).append(part)
        if not met:
            self.always.append(part)

    def close(self) -> None:
        """All parts are there."""
        needed = (part.needs for parts in self.by_word.values() for part in parts)
        self._vocabulary = frozenset(self.by_word).union(*needed)

    def candidates(self, text: str) -> Iterable[_Part]:
        """Those whose words the text has."""
        held = self._vocabulary.intersection(words(text)) if self.by_word else frozenset[bytes]()
        met = [part for word in sorted(held) for part in self.by_word.get(word, ()) if part.needs <= held]
        return dict.fromkeys([*self.always, *met]) if met else self.always


class Judge:
    """Asks a fixed set of rules. Not thread-safe: one thread asks at a time.

    Args:
        rules: those that apply; a rule whose patterns no longer compile is left out.
        clock: seconds of this thread, for what each search costs.
    """

    def __init__(self, rules: Iterable[Rule], clock: Callable[[], float] = time.thread_time) -> None:
        self._clock = clock
        self._places: dict[Place, _Place] = {"input": _Place(), "output": _Place(), "tool_error": _Place()}
        self._watches: list[_Watch] = []
        for rule in rules:
            self._add(rule)
        for place in self._places.values():
            place.close()

    def places(self) -> frozenset[Place]:
        """The texts that some rule looks at."""
        return frozenset(name for name, place in self._places.items() if place.by_word or place.always)

    def judge(self, texts: Mapping[Place, str | None], *, final: bool = True) -> list[Found]:
        """Each rule's first hit in the texts of one event, input before output.

        Args:
            texts: by place; None where the event has none.
            final: whether the event is complete: only then can an output be too short.
        """
        found: dict[str, Found] = {}
        for place, text in texts.items():
            parts = self._places[place]
            if text is None or not (parts.by_word or parts.always):
                continue
            self._look(parts, place, _Text(text), found, final=final)
        return list(found.values())

    def stopped(self) -> list[tuple[Rule, str]]:
        """The rules that cost too much and are asked no more, with the reason; each is told once."""
        told = [(watch.rule, watch.stopped) for watch in self._watches if watch.stopped]
        self._watches = [watch for watch in self._watches if not watch.stopped]
        return told

    def _look(self, parts: _Place, place: Place, text: _Text, found: dict[str, Found], *, final: bool) -> None:
        for part in parts.candidates(text.plain):
            watch = part.watch
            if watch.stopped or watch.rule.signal_id in found:
                continue
            matched = self._matched(part, text, final=final)
            if matched is not None:
                rule = watch.rule
                found[rule.signal_id] = Found(
                    signal_id=rule.signal_id, version=rule.version, place=place, matched=matched[:MATCHED_CHARS]
                )

    def _matched(self, part: _Part, text: _Text, *, final: bool) -> str | None:
        """What hit, or None; time is counted whatever comes out."""
        one_keyword = bool(part.needs)
        if one_keyword and not part.phrases[0].is_in(text.spaced):
            return None
        if part.watch.trusted:
            return _asked(part, text, final=final)
        begun = self._clock()
        try:
            return _asked(part, text, final=final)
        except TooSlowError:
            part.watch.stopped = TOO_SLOW.format(limit="their time limit")
            return None
        finally:
            self._charge(part.watch, self._clock() - begun)

    def _charge(self, watch: _Watch, seconds: float) -> None:
        watch.savings = min(SAVINGS, watch.savings + ALLOWANCE - seconds)
        if watch.savings < 0 and not watch.stopped:
            watch.stopped = TOO_SLOW.format(limit=f"{ALLOWANCE * 1000:g} ms on average")

    def _add(self, rule: Rule) -> None:
        try:
            watch = _Watch(rule)
            parts = list(_parts(watch, rule.draft.definition))
        except ValueError:  # written by another version of the library: shown, but not asked
            return
        self._watches.append(watch)
        for name in rule.draft.definition.places:
            for part, needed in parts:
                self._places[name].add(part, needed)


def _parts(watch: _Watch, definition: Definition) -> Iterable[tuple[_Part, tuple[bytes, ...]]]:
    """Each part with the words that make it worth asking."""
    anywhere: list[Phrase] = []
    for keyword in definition.keywords:
        needs, phrase = needed_words(keyword), Phrase(keyword)
        if needs:
            yield _Part(watch, phrases=(phrase,), needs=needs), (max(needs, key=len),)
        else:
            anywhere.append(phrase)
    if anywhere:
        yield _Part(watch, phrases=tuple(anywhere)), ()
    if definition.patterns:
        patterns = tuple(compiled(text, case_sensitive=definition.case_sensitive) for text in definition.patterns)
        yield _Part(watch, patterns), tuple(dict.fromkeys(words(plain(" ".join(definition.only_with)))))
    if definition.shorter_than:
        yield _Part(watch, shorter_than=definition.shorter_than), ()
    if definition.on == "tool_error" and not (definition.keywords or definition.patterns):
        yield _Part(watch), ()


def _asked(part: _Part, text: _Text, *, final: bool) -> str | None:
    find = part.watch.search
    matched = _first(part, text, final=final)
    if matched is None or any(find(pattern, text.whole) is not None for pattern in part.watch.unless):
        return None
    return matched


def _first(part: _Part, text: _Text, *, final: bool) -> str | None:
    if part.phrases:
        return next((phrase.text for phrase in part.phrases if phrase.is_in(text.spaced)), None)
    if part.shorter_than:
        said = text.whole.strip()
        return said if final and len(said) < part.shorter_than else None
    if not part.patterns:
        return text.whole
    find = part.watch.search
    return next((matched for pattern in part.patterns if (matched := find(pattern, text.whole)) is not None), None)
