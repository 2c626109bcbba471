"""visitors_websockets.py URL: eight clients by Debian's websockets that echo what a
server says, and come back whenever a session is over,
until nobody is there."""
import asyncio
import contextlib
import sys

import websockets


async def visit():
    while True:
        with contextlib.suppress(websockets.WebSocketException, ConnectionResetError, BrokenPipeError):
            async with websockets.connect(sys.argv[1], compression=None, open_timeout=None, ping_interval=None, close_timeout=0.1) as socket:
                async for message in socket:
                    await socket.send(message)
        await asyncio.sleep(0.001)


async def main():
    with contextlib.suppress(ConnectionRefusedError):
        await asyncio.gather(*(visit() for _ in range(8)))

asyncio.run(main())
