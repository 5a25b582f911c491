"""The read benchmark's peer: `python -m benchmarks.timeline.constant_server PORT SIZE`."""

import sys

import uvicorn
import uvloop
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from loadpath.systems.timeline.api.process import server_config


def serve_constant(port: int, size: int) -> None:
    """Answer everything with the same bytes, as a good user of Starlette would."""
    body = b" " * size
    headers = {
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
        "timeline-source": "none",
    }

    async def home(_request: Request) -> Response:
        return Response(body, media_type="application/json", headers=headers)

    config: uvicorn.Config = server_config(Starlette(routes=[Route("/timelines/home", home)]))
    config.host, config.port = "127.0.0.1", port
    uvloop.run(uvicorn.Server(config).serve())


if __name__ == "__main__":
    serve_constant(int(sys.argv[1]), int(sys.argv[2]))
