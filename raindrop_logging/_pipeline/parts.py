"""What each stage of a pipeline is built with, by the settings of its handlers.

In: Settings, the environment
Out: stages that know nothing of one another, and the values they are told
Touches: nothing; what it builds starts nothing before its first record
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any

from raindrop_logging._pipeline.assembler import Assembler
from raindrop_logging._pipeline.batcher import Batcher, Limits
from raindrop_logging._pipeline.bounded_queue import BoundedQueue, Bounds
from raindrop_logging._pipeline.breadcrumbs import Breadcrumbs
from raindrop_logging._pipeline.encoder import Encoder, Stamp, constants
from raindrop_logging._pipeline.journal import Journal
from raindrop_logging._pipeline.otlp import SpanEncoder
from raindrop_logging._pipeline.outbox import Patience
from raindrop_logging._pipeline.router import Router
from raindrop_logging._pipeline.sender import Receiver
from raindrop_logging._pipeline.spool import Spool, Stream
from raindrop_logging._pipeline.stats import Ledger
from raindrop_logging.deployment import Commit, Deployment
from raindrop_logging.settings import Settings
from raindrop_logging.version import __version__
from raindrop_logging.wire import Lane

if TYPE_CHECKING:
    from raindrop_logging._pipeline.sampler import Budgets, Sampler
    from raindrop_logging.redaction import Redactor

MIRROR_TIMEOUT = 2.0

MIRROR_PATIENCE = Patience(0.0, 0.001, 0.001, 0.0, 1, keeps=False)
"""The mirror is best effort: one attempt each."""


def queue(settings: Settings, ledger: Ledger, stream: Stream | None, damaged: Callable[[int], None]) -> BoundedQueue:
    """Where callers and the listener meet; ``stream`` is where what they log is kept on disk."""
    bounds = Bounds(
        max_size=settings.max_queue_size,
        max_bytes=settings.max_queue_bytes,
        when_full=settings.when_full,
        block_timeout=settings.block_timeout if settings.mode == "thread" else 0.0,  # else it would wait for itself
        wake_size=min(settings.upload_size, max(1, settings.max_queue_size // 2)),
        wake_bytes=min(settings.upload_bytes, settings.max_queue_bytes // 2),
    )
    if stream is None:
        return BoundedQueue(bounds, ledger.overflowed)
    return Journal(
        bounds,
        ledger.overflowed,
        stream=stream,
        only_when_full=settings.durability == "spill",
        disk_full=ledger.disk_full,
        damaged=damaged,
    )


def spool(settings: Settings) -> Spool | None:
    """The files of this process; None where nothing is kept on disk.

    Raises:
        SettingsError: ``spool_dir`` cannot work on this machine.
    """
    if settings.durability == "memory" or settings.spool_dir is None:
        return None
    return Spool(Path(settings.spool_dir), _namespace(settings), max_bytes=settings.spool_max_bytes)


def _namespace(settings: Settings) -> str:
    """Whose data it is: what one account's process left is never sent to another one's, or to another project."""
    from hashlib import sha256  # brings OpenSSL along

    key = settings.write_key.reveal() if settings.write_key is not None else ""
    return sha256(f"raindrop-spool\0{key}\0{settings.project_id or ''}".encode()).hexdigest()[:16]


def redactor(settings: Settings) -> Redactor | None:
    """What takes secrets out of texts; None where nothing is asked for, and its many patterns are not read then."""
    if settings.redact is False:
        return None
    from raindrop_logging.redaction import read_redactor

    return read_redactor(list(settings.redact) if isinstance(settings.redact, tuple) else settings.redact)


def router(settings: Settings, redactor: Redactor | None) -> Router:
    """The stage that reads snapshots; what the configuration itself says is redacted as well."""
    defaults: dict[str, Any] = dict(settings.defaults)
    return Router(defaults if redactor is None else redactor.block(defaults))


def breadcrumbs(settings: Settings) -> Breadcrumbs | None:
    """What keeps plain lines for the finish of their interaction; None where nobody asked for them."""
    asked = settings.breadcrumbs
    if asked is None:
        return None
    return Breadcrumbs(level=asked.level, most=asked.max, max_open=settings.max_open_interactions)


def sampler(settings: Settings) -> Sampler | None:
    """What leaves out a part of all that is told; None where all of it goes."""
    if not settings.sampling:
        return None
    from raindrop_logging._pipeline.sampler import Sampler

    return Sampler(dict(settings.sampling))


def budgets(settings: Settings) -> Budgets | None:
    """What leaves out what a logger says too much of; None where none is bounded."""
    if not settings.budgets:
        return None
    from raindrop_logging._pipeline.sampler import Budgets

    return Budgets(dict(settings.budgets))


def assembler(settings: Settings, sampler: Sampler | None) -> Assembler:
    """The stage that joins the records of an interaction."""
    return Assembler(
        interval=settings.partial_flush_interval,
        ttl=settings.interaction_ttl,
        max_open=settings.max_open_interactions,
        on_disk=settings.durability != "memory",
        keeps=None if sampler is None else sampler.keeps_interaction,
    )


def batcher(settings: Settings) -> Batcher:
    """The stage that joins items into requests."""
    uploads = Limits(settings.upload_size, settings.upload_bytes, settings.upload_interval)
    traces = Limits(settings.trace_batch_size, settings.upload_bytes, settings.trace_flush_interval)
    return Batcher({Lane.EVENTS: uploads, Lane.SIGNALS: uploads, Lane.TRACES: traces})


def encoder(settings: Settings, environ: Mapping[str, str], stamp: Stamp) -> Encoder:
    """The stage that says things in bytes."""
    encode_span = None
    if settings.tracing:
        encode_span = SpanEncoder(
            service_name=settings.service_name,
            service_version=settings.service_version or __version__,
            library_version=__version__,
            project_id=settings.project_id,
            stamp=stamp,
        )
    said = constants(version=__version__, wizard_session=settings.wizard_session, workspace=_workspace(environ))
    return Encoder(constants=said, max_text_chars=settings.max_text_chars, encode_span=encode_span, stamp=stamp)


def _workspace(environ: Mapping[str, str]) -> dict[str, str] | None:
    """``properties.workspace``: all three variables or nothing (wire contract, ``$context`` block)."""
    names = {"id": "RAINDROP_WORKSPACE_ID", "name": "RAINDROP_WORKSPACE_NAME", "root": "RAINDROP_WORKSPACE_ROOT"}
    found = {key: environ.get(variable, "") for key, variable in names.items()}
    return found if all(found.values()) else None


def deployment(settings: Settings, environ: Mapping[str, str], may_ask: Callable[[], bool]) -> Deployment:
    """What finds the application's commit; ``may_ask`` is whether it may run git on this thread."""
    return Deployment(
        named=Commit(settings.commit_sha, settings.commit_dirty, settings.branch),
        source_directory=settings.git_source_directory,
        auto_detect=settings.git_auto_detect,
        with_branch=settings.git_branch,
        environ=environ,
        may_ask=may_ask,
    )


def shortest_interval(settings: Settings) -> float:
    """Seconds until something that is logged now has to be looked at."""
    intervals = (settings.upload_interval, settings.partial_flush_interval, settings.trace_flush_interval)
    return min((seconds for seconds in intervals if seconds), default=1.0)


def patience(settings: Settings) -> Patience:
    """How long to try. What a disk keeps does not expire: it waits there until the receiver takes it."""
    in_memory = settings.durability == "memory"
    budget, most = (settings.retry_budget, settings.max_attempts) if in_memory else (inf, None)
    return Patience(budget, settings.base_delay, settings.max_delay, settings.jitter, most)


def primary(settings: Settings) -> Receiver:
    """Where everything goes: the cloud, or without a key the Workshop."""
    if settings.write_key is None and settings.workshop is not None:
        return _receiver(settings, "workshop", settings.workshop, keyed=False, timeout=settings.timeout)
    return _receiver(settings, "cloud", settings.endpoint, keyed=True, timeout=settings.timeout)


def mirror(settings: Settings) -> Receiver | None:
    """The Workshop beside the cloud; None where there is none."""
    if settings.workshop is None or not settings.write_key:
        return None
    return _receiver(settings, "workshop", settings.workshop, keyed=False, timeout=MIRROR_TIMEOUT)


def _receiver(settings: Settings, name: str, endpoint: str, *, keyed: bool, timeout: float) -> Receiver:
    return Receiver(
        name=name,
        endpoint=endpoint,
        write_key=settings.write_key if keyed else None,
        project_id=settings.project_id,
        timeout=timeout,
        proxy=settings.proxy,
        verify=settings.verify,
        user_agent=f"raindrop-logging/{__version__}",
        quotes_answers=settings.debug,
    )
