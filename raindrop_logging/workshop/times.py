"""Every form of time the wire allows, as one: ISO 8601 in UTC with microseconds and `Z`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


def from_wire(value: str | float) -> str:
    """An ISO 8601 text (without a zone it means UTC) or epoch milliseconds (the contract's section 0).

    Raises:
        ValueError: the text is no date, or the date is outside the years 1 to 9999.
    """
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else datetime.fromtimestamp(value / 1e3, UTC)
        return from_datetime(moment)
    except (ValueError, OverflowError, OSError):
        raise ValueError(f"{value!r} is neither an ISO 8601 time nor epoch milliseconds") from None


def from_nanoseconds(value: int) -> str | None:
    """A span's time; 0 and what no calendar holds are None."""
    try:
        return (
            from_datetime(datetime.fromtimestamp(value // 10**9, UTC).replace(microsecond=value // 1000 % 10**6))
            if value
            else None
        )
    except (ValueError, OverflowError, OSError):
        return None


def from_datetime(moment: datetime) -> str:
    """A moment; without a zone it means UTC.

    Raises:
        OverflowError: in UTC it is outside the years 1 to 9999.
    """
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return aware.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def now() -> str:
    """This moment."""
    return from_datetime(datetime.now(UTC))


def ago(duration: timedelta) -> str:
    """The moment so long before this one; what no calendar holds is the first one it does."""
    try:
        return from_datetime(datetime.now(UTC) - duration)
    except OverflowError:
        return from_datetime(datetime.min)  # noqa: DTZ901 - it means UTC here


def just_before(text: str) -> str:
    """A microsecond before a text of this module; the first moment of all is its own."""
    try:
        return from_datetime(datetime.fromisoformat(text) - timedelta(microseconds=1))
    except OverflowError:
        return text


def seconds_between(start: str | None, end: str | None) -> float | None:
    """The duration between two texts of this module, in seconds; None when either is missing."""
    if start is None or end is None:
        return None
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()
