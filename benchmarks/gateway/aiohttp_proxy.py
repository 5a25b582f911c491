"""The reverse proxy that everybody writes with aiohttp, with the settings of a good user."""

import sys

from aiohttp import ClientSession, ClientTimeout, TCPConnector, web

HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "upgrade", "te"}


def main(port: int, backend: str) -> None:
    """Serve until a signal."""
    app = web.Application()

    async def session(app: web.Application) -> None:
        app["session"] = ClientSession(
            timeout=ClientTimeout(total=60.0),
            connector=TCPConnector(limit=100),
            auto_decompress=False,
        )

    async def handle(request: web.Request) -> web.StreamResponse:
        sent = {k: v for k, v in request.headers.items() if k.lower() not in HOP_BY_HOP}
        body = request.content if request.can_read_body else None
        async with request.app["session"].request(
            request.method, backend + request.path_qs, headers=sent, data=body
        ) as found:
            came = {k: v for k, v in found.headers.items() if k.lower() not in HOP_BY_HOP}
            if found.content_length is not None and found.content_length <= 65_536:
                return web.Response(status=found.status, headers=came, body=await found.read())
            response = web.StreamResponse(status=found.status, headers=came)
            await response.prepare(request)
            async for piece in found.content.iter_any():
                await response.write(piece)
            return response

    app.on_startup.append(session)
    app.router.add_route("*", "/{path:.*}", handle)
    web.run_app(app, host="127.0.0.1", port=port, access_log=None, print=None)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
