"""Write one shard's rings: `python -m loadpath.systems.timeline.fanout CONFIG.toml SHARD`."""

import sys

from loadpath.systems.timeline.fanout.writer import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
