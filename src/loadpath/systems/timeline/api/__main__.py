"""Serve the timeline API: `python -m loadpath.systems.timeline.api CONFIG.toml`."""

import sys

from loadpath.systems.timeline.api.process import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
