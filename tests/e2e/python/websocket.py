"""A program that opens a WebSocket at an application with an API key, and talks until it is cut.

    python websocket.py URL CA < KEY

Says each text that came back, then `cut`. Every host is this machine.
"""

import asyncio
import socket
import ssl
import sys

import aiohttp
from aiohttp.abc import AbstractResolver


class Here(AbstractResolver):
    async def resolve(self, host, port=0, family=socket.AF_INET):
        return [{"hostname": host, "host": "127.0.0.1", "port": port, "family": family, "proto": 0, "flags": 0}]

    async def close(self):
        pass


async def main(url, trust, key):
    context = ssl.create_default_context(cafile=trust)
    connector = aiohttp.TCPConnector(ssl=context, resolver=Here())
    headers = {"authorization": f"Bearer {key}"}
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:
        async with session.ws_connect(url) as talk:
            number = 0
            while True:
                await talk.send_str(f"number {number}")
                answer = await talk.receive()
                if answer.type is not aiohttp.WSMsgType.TEXT:
                    break
                print(answer.data, flush=True)
                number += 1
                await asyncio.sleep(0.02)
    print("cut", flush=True)


try:
    asyncio.run(main(sys.argv[1], sys.argv[2], sys.stdin.readline().strip()))
except (aiohttp.ClientError, ConnectionError):
    print("cut", flush=True)
