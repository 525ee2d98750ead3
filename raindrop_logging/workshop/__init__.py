"""The Workshop: a local receiver that keeps and shows what any Raindrop SDK sends.

It speaks only the wire contract and shares nothing with the pipeline. Needs the extra ``workshop``.
"""

from __future__ import annotations

from raindrop_logging.workshop.server import PortInUseError, Running, running, serve
from raindrop_logging.workshop.store import Store, StoreError, default_path, open_store

__all__ = ["PortInUseError", "Running", "Store", "StoreError", "default_path", "open_store", "running", "serve"]
