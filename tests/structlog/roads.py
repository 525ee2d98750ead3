"""The roads on which people have structlog write a line, as one table: what ends the chain, and what it writes to."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NoReturn

import structlog
from structlog.stdlib import ProcessorFormatter

from raindrop_logging.structlog import RaindropProcessor


def fail(error: Exception) -> NoReturn:
    """Raise it."""
    raise error


@dataclass
class Road:
    """One way to set structlog up; ``renderers`` end its chain.

    Attributes:
        output: what is written for people, whatever the road.
    """

    name: str
    renderers: Callable[[], list[Any]]
    through_logging: bool = True
    writes_bytes: bool = False
    output: Any = field(default_factory=io.StringIO)

    def configure(self, *processors: Any, before: tuple[Any, ...] = (), after: tuple[Any, ...] = ()) -> Any:
        """Configure structlog with a chain of ours in front of the renderers; the logger ``shop.desk``.

        ``before`` comes first of all, ``after`` behind the renderers.
        """
        self.output = io.BytesIO() if self.writes_bytes else io.StringIO()
        chain = [structlog.contextvars.merge_contextvars, *before, *processors, *self.renderers(), *after]
        structlog.configure(
            processors=chain,
            logger_factory=structlog.stdlib.LoggerFactory() if self.through_logging else self._factory(),
            wrapper_class=structlog.stdlib.BoundLogger
            if self.through_logging
            else structlog.make_filtering_bound_logger(logging.DEBUG),
            cache_logger_on_first_use=False,
        )
        if self.through_logging:
            self._attach_console()
        return structlog.get_logger("shop.desk")

    def _factory(self) -> Any:
        makers = {
            "print": structlog.PrintLoggerFactory,
            "write": structlog.WriteLoggerFactory,
            "bytes": structlog.BytesLoggerFactory,
        }
        return makers[self.name](self.output)

    def _attach_console(self) -> None:
        console = logging.StreamHandler(self.output)
        if self.name == "formatter":
            console.setFormatter(
                ProcessorFormatter(
                    # In both chains, as some people have it: the record is there, so nothing is sent from here.
                    foreign_pre_chain=[structlog.stdlib.ExtraAdder(), RaindropProcessor()],
                    processors=[
                        RaindropProcessor(),
                        ProcessorFormatter.remove_processors_meta,
                        structlog.processors.JSONRenderer(default=repr),
                    ],
                )
            )
        logging.root.addHandler(console)

    @property
    def lines(self) -> list[str]:
        """What was written for people so far."""
        written = self.output.getvalue()
        return (written.decode() if isinstance(written, bytes) else written).splitlines()


def _bytes(event: Any, **_: Any) -> bytes:
    import json

    return json.dumps(event, default=repr).encode()


def _json() -> list[Any]:
    return [structlog.processors.JSONRenderer(default=repr)]


LOG_KWARGS = Road("log kwargs", lambda: [structlog.stdlib.render_to_log_kwargs])
FORMATTER = Road("formatter", lambda: [ProcessorFormatter.wrap_for_formatter])
TEXT = Road("text through logging", _json)
PRINT = Road("print", _json, through_logging=False)
WRITE = Road("write", lambda: [structlog.processors.KeyValueRenderer()], through_logging=False)
BYTES = Road(
    "bytes",
    lambda: [structlog.processors.JSONRenderer(serializer=_bytes)],
    through_logging=False,
    writes_bytes=True,
)
THROUGH_LOGGING = [LOG_KWARGS, FORMATTER, TEXT]
if hasattr(structlog.stdlib, "render_to_log_args_and_kwargs"):  # since 25.1
    THROUGH_LOGGING.append(Road("log args", lambda: [structlog.stdlib.render_to_log_args_and_kwargs]))
BY_ITSELF = [PRINT, WRITE, BYTES]
EVERY = [*THROUGH_LOGGING, *BY_ITSELF]
