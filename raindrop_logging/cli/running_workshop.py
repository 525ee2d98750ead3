"""The Workshop that runs on a port of this machine, asked over HTTP.

In: a port.  Out: what it answers, and the changes it tells of.  Touches: the network of this machine.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from raindrop_logging.errors import RaindropLoggingError

if TYPE_CHECKING:
    import httpx

ANSWER_SECONDS: Final = 10.0
SILENCE_SECONDS: Final = 40.0
"""The stream says every 15 s that it is there; after so long it is not."""
_REFUSED: Final = 400


class NotRunningError(RaindropLoggingError):
    """No Workshop answers on the port."""


class RefusedQuestionError(RaindropLoggingError):
    """The Workshop does not take the question; the message is its own."""


class RunningWorkshop:
    """A Workshop by its port."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._url = f"http://127.0.0.1:{port}"

    def health(self) -> dict[str, Any]:
        """What it says of itself.

        Raises:
            NotRunningError: nothing answers there, or something that is no Workshop.
        """
        import httpx

        from raindrop_logging.workshop.store import NAME

        try:
            with self._client() as client:
                told = client.get("/api/health").raise_for_status().json()
            if isinstance(told, dict) and told.get("name") == NAME:
                return told
        except httpx.TransportError as error:
            raise self._missing(f"no Workshop runs on port {self._port}") from error
        except (httpx.HTTPError, ValueError):
            pass
        raise self._missing(f"what answers on port {self._port} is no Workshop")

    @contextmanager
    def changes(self, pairs: list[tuple[str, str]]) -> Generator[Iterator[dict[str, Any]]]:
        """The stream of changed events that these pairs let through, as long as the connection holds.

        Raises:
            NotRunningError: nothing answers, or no longer.
            RefusedQuestionError: a pair is no filter.
        """
        import httpx

        try:
            with self._client() as client, client.stream("GET", "/api/stream", params=tuple(pairs)) as answer:
                if answer.status_code >= _REFUSED:
                    answer.read()
                    raise RefusedQuestionError(_message(answer))
                yield _told(answer)
        except httpx.TransportError as error:
            raise self._missing(f"the Workshop on port {self._port} is gone") from error

    def _client(self) -> httpx.Client:
        import httpx

        waits = httpx.Timeout(ANSWER_SECONDS, read=SILENCE_SECONDS)
        return httpx.Client(base_url=self._url, timeout=waits, trust_env=False)

    @staticmethod
    def _missing(what: str) -> NotRunningError:
        return NotRunningError(f"{what}: start one with 'raindrop-logging workshop', or name its port with --port")


def _told(answer: httpx.Response) -> Iterator[dict[str, Any]]:
    for line in answer.iter_lines():
        if line.startswith("data: "):
            yield json.loads(line.removeprefix("data: "))


def _message(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["message"])
    except (ValueError, KeyError, TypeError):
        return f"the Workshop answered {answer.status_code}"
