"""``python -m raindrop_logging`` is the command ``raindrop-logging``."""

from __future__ import annotations

import sys

from raindrop_logging.cli import main

if __name__ == "__main__":
    sys.exit(main())
