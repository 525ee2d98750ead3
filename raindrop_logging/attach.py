"""Attach one handler in code, for programs without a logging configuration; what the official SDKs' init does.

raindrop_logging.init("rk_...")
raindrop_logging.track_ai(user_id="u1", event="chat", input=question, output=answer)
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any, Final, Unpack

from raindrop_logging.handler import RaindropHandler
from raindrop_logging.record import default_logger
from raindrop_logging.settings import OtherSettingsDict, read_settings

_attached: Final[list[tuple[logging.Logger, RaindropHandler, dict[str, Any]]]] = []
_switches: Final[dict[str, Any]] = {}
"""What `set_debug_logs` and `set_redact_pii` said, for the handler that is attached now and the next one."""


def init(
    write_key: str | None = None,
    wizard_session: str | None = None,
    *,
    tracing_enabled: bool | None = None,
    auto_instrument: bool | Sequence[str] = True,
    logger: logging.Logger | None = None,
    **keys: Unpack[OtherSettingsDict],
) -> RaindropHandler:
    """Attach a `RaindropHandler` to a logger; calling it again replaces the one that it attached before.

    Args:
        write_key: as the handler's key; absent, `RAINDROP_WRITE_KEY`.
        wizard_session: as the handler's key.
        tracing_enabled: the handler's `tracing`. True also switches on the OpenTelemetry instrumentors that are
            installed (`raindrop_logging.otel.instrument`), so that models' calls are captured by themselves.
        auto_instrument: false leaves them alone; a list of names chooses among them.
        logger: the logger ``raindrop`` by default, which everything said without a logger goes to. With
            ``logging.getLogger()`` the blocks of every logger are heard.
        keys: any other key of the handler.

    Returns:
        the handler.

    Raises:
        SettingsError: a key is unknown or its value breaks a rule; the handler attached before stays.
    """
    given: dict[str, Any] = {"write_key": write_key, "wizard_session": wizard_session, "tracing": tracing_enabled}
    said = {key: value for key, value in given.items() if value is not None}
    handler = _attach(default_logger if logger is None else logger, {**keys, **said, **_switches})
    if tracing_enabled and auto_instrument and handler.settings.enabled:
        from raindrop_logging.otel import instrument

        instrument(*(() if auto_instrument is True else auto_instrument))
    return handler


def set_debug_logs(value: bool = True) -> None:
    """Have diagnostics of the handler that `init` attaches say more; the handler's key `debug`."""
    _switch("debug", value)


def set_redact_pii(value: bool = True) -> None:
    """Redact what the handler that `init` attaches sends, in every category; the handler's key `redact`."""
    _switch("redact", value)


def _switch(key: str, value: bool) -> None:
    read_settings({**_switches, key: value})
    _switches[key] = value
    if _attached:
        logger, _, keys = _attached[0]
        _attach(logger, {**keys, **_switches})


def _attach(logger: logging.Logger, keys: dict[str, Any]) -> RaindropHandler:
    handler = RaindropHandler(**keys)
    for earlier_logger, earlier, _ in _attached:
        earlier_logger.removeHandler(earlier)
        if earlier.settings != handler.settings:
            earlier.close()
    _attached[:] = [(logger, handler, keys)]
    logger.addHandler(handler)
    return handler
