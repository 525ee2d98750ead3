"""What is asked of a Workshop that has much: pages, lists, filters, search, facets and rates, with their targets."""

from __future__ import annotations

from typing import Final, NamedTuple
from urllib.parse import quote

QUICK: Final = 100.0
PATTERN: Final = 200.0
COUNTED: Final = 500.0

_EVENT: Final = f"{77:032x}"
_FIVE: Final = "event=plan&model=gpt-4o&tool=read_file&property.region=eu&error=false"
_NONE: Final = "event=plan&tool=read_file&signal=thumbs_up&error=true&pending=false"


class Asked(NamedTuple):
    """One question, where it is asked, and the milliseconds that its median should stay under."""

    name: str
    target: float
    path: str


def _search(name: str, words: str, more: str = "", target: float = QUICK) -> Asked:
    return Asked(name, target, f"/api/search?q={quote(words)}{more}")


QUESTIONS: Final = (
    Asked("page: list", QUICK, "/events"),
    Asked("page: list, filter user", QUICK, "/events?user_id=user-7"),
    Asked("page: list, filter property", QUICK, "/events?property.region=eu"),
    Asked("page: one event", QUICK, f"/events/{_EVENT}"),
    Asked("page: conversations", QUICK, "/conversations"),
    Asked("page: one conversation", QUICK, "/conversations/convo-7"),
    Asked("page: users", QUICK, "/users"),
    Asked("page: search", QUICK, "/search?q=parcel"),
    Asked("page: tool errors", QUICK, "/tool-errors"),
    Asked("page: traces", QUICK, "/traces"),
    Asked("page: one user, facets", COUNTED, "/users/user-7"),
    Asked("page: facets of the list", COUNTED, "/facets?of=/events"),
    Asked("page: home, its charts", COUNTED, "/?range=30d"),
    Asked("page: signals, their charts", COUNTED, "/signals"),
    Asked("page: one signal, its rates", COUNTED, "/signals/instrumented:refusal"),
    Asked("list", QUICK, "/api/events"),
    Asked("one event", QUICK, f"/api/events/{_EVENT}"),
    Asked("filter: event", QUICK, "/api/events?event=plan"),
    Asked("filter: user", QUICK, "/api/events?user_id=user-7"),
    Asked("filter: model, rare", QUICK, "/api/events?model=rare-model"),
    Asked("filter: tool", QUICK, "/api/events?tool=read_file"),
    Asked("filter: signal", QUICK, "/api/events?signal=refusal"),
    Asked("filter: property", QUICK, "/api/events?property.region=eu"),
    Asked("filter: property, rare", QUICK, "/api/events?property.build=canary"),
    Asked("filter: error", QUICK, "/api/events?error=true"),
    Asked("filter: attachment", QUICK, "/api/events?attachment=true"),
    Asked("filter: five at once", QUICK, f"/api/events?{_FIVE}"),
    Asked("filter: five that none passes", QUICK, f"/api/events?{_NONE}"),
    Asked("conversations", QUICK, "/api/conversations"),
    Asked("conversations with an error", QUICK, "/api/conversations?error=true"),
    Asked("turns of one", QUICK, "/api/conversations/convo-7"),
    Asked("users", QUICK, "/api/users"),
    Asked("traces without an event", QUICK, "/api/traces"),
    Asked("failed tool calls", QUICK, "/api/tools/errors"),
    Asked("failing tools", QUICK, "/api/tools/failing"),
    Asked("health, with its counts", QUICK, "/api/health"),
    Asked("all signals, with their counts", COUNTED, "/api/signals"),
    _search("search: rare word", "zebrafish"),
    _search("search: common word", "parcel"),
    _search("search: two words", "parcel w123"),
    _search("search: phrase", '"zebrafish order"'),
    _search("search: prefix", "zebraf*"),
    _search("search: word in inputs", "zebrafish", "&in=input"),
    _search("search: word, rare model", "parcel", "&model=rare-model"),
    _search("search: three signs of Chinese", "数据库"),
    _search("search: two signs of Chinese", "退款"),
    _search("regex: rare literal", r"zebrafish\s+\w+", "&mode=regex", PATTERN),
    _search("regex: common literal", r"parcel\s+w1\d\d", "&mode=regex", PATTERN),
    Asked("facets", COUNTED, "/api/facets"),
    Asked("facets: model", COUNTED, "/api/facets?model=gpt-4o"),
    Asked("facets: five at once", COUNTED, f"/api/facets?{_FIVE}"),
    Asked("events by day", COUNTED, "/api/timeseries"),
    Asked("users by day", COUNTED, "/api/timeseries?measure=users"),
    Asked("failures by day", COUNTED, "/api/timeseries?measure=failures"),
    Asked("failures by day and model", COUNTED, "/api/timeseries?measure=failures&split=model"),
    Asked("failures by day and region", COUNTED, "/api/timeseries?measure=failures&split=property.region"),
    Asked("signals by day", COUNTED, "/api/timeseries?measure=signals&split=signal"),
    Asked("one signal by day and model", COUNTED, "/api/timeseries?measure=signals&split=model&signal_name=refusal"),
    Asked("rates of one signal by day", COUNTED, "/api/signals/instrumented:refusal/rates?by=day"),
    Asked("rates of one signal by model", COUNTED, "/api/signals/instrumented:refusal/rates?by=model"),
)
