"""echo_websockets.py URL SIZE...: sends standard input as messages of these
sizes by the module websockets, and writes what comes back until all of it is
there."""
import asyncio
import sys

import websockets


async def main(url, sizes):
    payload = sys.stdin.buffer.read()
    async with websockets.connect(url) as socket:
        sender = asyncio.create_task(send(socket, payload, sizes))
        await receive(socket, len(payload))
        await sender


async def send(socket, payload, sizes):
    at = 0
    for size in sizes:
        await socket.send(payload[at:at + size])
        at += size


async def receive(socket, missing):
    while missing > 0:
        message = await socket.recv()
        missing -= len(message)
        sys.stdout.buffer.write(message)


asyncio.run(main(sys.argv[1], [int(size) for size in sys.argv[2:]]))
