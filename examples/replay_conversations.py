"""Replay recorded conversations through a logger: an AI event, a tool span and, where judged, a signal a turn.

Shows:   an import of many records that loses none; ids of one's own, so that a second run adds no event
Run:     RAINDROP_WRITE_KEY=... python examples/replay_conversations.py turns.jsonl    (--help tells the keys of a line)
Arrives: for each answered turn 1 event, 1 span and, where judged, 1 signal
"""

import argparse
import json
import logging
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import raindrop_logging
from raindrop_logging import extra

log = logging.getLogger("replay")
CONFIG = Path(__file__).parents[1] / "configs" / "batch_job.toml"
LINES = """Each line of the file is a JSON object: a turn of a conversation with a model.
  conversation, turn          its id, and the number of the turn
  source, model               where the prompt is from, and who answered
  input, output               texts; a turn whose output is null is not answered, and left out
  preference_over_reference   0 to 1, a judge's preference; null where not judged
Exit codes: 0 all was delivered, 1 not all was, 2 wrong usage or a line that cannot be read."""


def main() -> int:
    """Read, log, flush, tell."""
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0] if __doc__ else None,
        epilog=LINES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("path", type=Path, help="the conversations, one turn a line")
    parser.add_argument("--config", type=Path, default=CONFIG, help="dictConfig file (default: %(default)s)")
    parser.add_argument("--timeout", type=float, default=60.0, help="seconds for the last flush (default: %(default)s)")
    arguments = parser.parse_args()
    try:
        turns = read(arguments.path)
        raindrop_logging.load_config(arguments.config)
    except (OSError, ValueError, raindrop_logging.RaindropLoggingError) as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 2

    started = time.monotonic()
    logged: Counter[str] = Counter()
    for turn in with_progress(turns):
        if turn["output"] is not None:
            logged.update(replay(turn))
    logging_took = time.monotonic() - started
    left = raindrop_logging.flush(arguments.timeout).left
    return tell(turns, logged, left, logging_took, time.monotonic() - started)


def read(path: Path) -> list[dict[str, Any]]:
    """The turns in a file.

    Raises:
        ValueError: a line is not such an object; the message names it.
    """
    turns = []
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            try:
                turn = json.loads(line)
                missing = {"conversation", "turn", "source", "model", "input", "output"} - set(turn)
            except (ValueError, TypeError) as error:
                raise ValueError(f"{path}:{number}: not a turn: {error}") from None
            if missing:
                raise ValueError(f"{path}:{number}: not a turn: {', '.join(sorted(missing))} missing")
            turns.append(turn)
    return turns


def replay(turn: dict[str, Any]) -> list[str]:
    """Log one answered turn; the types of the records that it took."""
    place = f"{turn['conversation']}/{turn['turn']}"
    event_id = str(uuid5(NAMESPACE_URL, place))
    with raindrop_logging.bind(event_id=event_id, user_id="replay", event="replayed", convo_id=turn["conversation"]):
        started = time.time()
        properties = {"source": turn["source"], "turn": turn["turn"]}
        said = extra.ai(model=turn["model"], input=turn["input"], output=turn["output"], properties=properties)
        log.info("replayed %s", place, extra=said)
        found = {"characters": len(turn["output"])}
        work = extra.span(kind="tool", name="read_turn", input={"turn": place}, output=found, start_time=started)
        log.info("read %s", place, extra=work)
        preference = turn.get("preference_over_reference")
        if preference is None:
            return ["ai", "span"]
        log.info("judged %s", place, extra=judgement(preference))
        return ["ai", "span", "signal"]


def judgement(preference: float) -> extra.Extra:
    """A thumb: up where the answer was at least as good as the reference."""
    properties = {"preference_over_reference": preference}
    if preference >= 0.5:  # noqa: PLR2004 -- of 0 to 1
        return extra.signal(name="thumbs_up", sentiment="POSITIVE", properties=properties)
    return extra.signal(name="thumbs_down", sentiment="NEGATIVE", properties=properties)


def with_progress(turns: list[dict[str, Any]]) -> Iterable[dict[str, Any]]:
    """The turns, with a bar on the terminal where rich is installed and a plain counter where not."""
    if not sys.stderr.isatty():
        return turns
    try:
        from rich.console import Console
        from rich.progress import track
    except ImportError:
        return counted(turns)
    return track(turns, description="replaying", console=Console(stderr=True))


def counted(turns: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The turns, with their number told on one line."""
    for number, turn in enumerate(turns, 1):
        yield turn
        if number % 100 == 0 or number == len(turns):
            print(f"\rreplaying {number:,} of {len(turns):,}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)


def tell(turns: list[dict[str, Any]], logged: Counter[str], left: int, logging_took: float, took: float) -> int:
    """Print what was replayed and what became of it; the exit code."""
    stats = raindrop_logging.stats()
    conversations = len({turn["conversation"] for turn in turns})
    print(f"read       {len(turns):,} turns of {conversations:,} conversations")
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in logged.items())
    print(f"logged     {logged.total():,} records ({kinds}) in {logging_took:.2f} s")
    print(f"delivered  {stats.delivered:,} records in {stats.requests:,} requests, {took:.2f} s in all")
    print(f"lost       {stats.refused:,} refused, {sum(stats.dropped.values()):,} dropped, {left:,} still waiting")
    return 0 if stats.delivered == logged.total() else 1


if __name__ == "__main__":
    sys.exit(main())
