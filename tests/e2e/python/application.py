"""An application behind the gateway, as aiohttp makes them: says what it was asked, ticks, speaks WebSocket, takes much.

    python application.py PORT

Says `listening`, then one line of JSON for each thing that it notices.
"""

import asyncio
import hashlib
import json
import sys

from aiohttp import WSMsgType, web


def say(what):
    print(json.dumps(what, separators=(",", ":")), flush=True)


async def echo(request):
    digest, size = hashlib.sha256(), 0
    async for piece in request.content.iter_any():
        digest.update(piece)
        size += len(piece)
    headers = [[name, value] for name, value in request.headers.items()]
    say({"method": request.method, "url": request.path_qs})
    return web.json_response({"url": request.path_qs, "size": size, "sha256": digest.hexdigest(), "headers": headers})


async def ticks(request):
    answer = web.StreamResponse(headers={"content-type": "text/event-stream"})
    await answer.prepare(request)
    try:
        while True:
            await answer.write(b"data: tick\n\n")
            await asyncio.sleep(0.02)
    except (ConnectionResetError, asyncio.CancelledError):
        say({"gone": request.path})
        raise


async def socket(request):
    talk = web.WebSocketResponse()
    await talk.prepare(request)
    try:
        async for message in talk:
            if message.type is WSMsgType.TEXT:
                await talk.send_str(message.data)
    finally:
        say({"gone": request.path})
    return talk


def main():
    app = web.Application(client_max_size=0)
    app.router.add_get("/ticks", ticks)
    app.router.add_get("/socket", socket)
    app.router.add_route("*", "/{rest:.*}", echo)
    port = int(sys.argv[1])
    web.run_app(app, host="127.0.0.1", port=port, print=lambda *_: say("listening"), handler_cancellation=True)


main()
