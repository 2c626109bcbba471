"""compress_websockets.py URL...: goes through combinations of permessage-deflate's
parameters with the module websockets, and echoes noise and text over each."""
import asyncio
import itertools
import os
import sys

import websockets
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

LINE = b"all the world is a stage, and all the men and women merely players; "
SIZES = [0, 1, 127, 128, 4096, 65535, 65536, 1 << 20]
PAYLOADS = [p for n in SIZES for p in (os.urandom(n), (LINE * (n // len(LINE) + 1))[:n])]


async def echo(url, **options):
    extension = ClientPerMessageDeflateFactory(**options)
    async with websockets.connect(url, extensions=[extension], compression=None, max_size=None) as socket:
        sender = asyncio.create_task(send(socket))
        want, got = b"".join(PAYLOADS), b""
        while len(got) < len(want):
            got += await socket.recv()
        await sender
        await (await socket.ping())
        return ("good" if got == want else "BAD") + f": {socket.extensions}"


async def send(socket):
    for i, payload in enumerate(PAYLOADS):
        half = len(payload) // 2
        await socket.send([payload[:half], payload[half:]] if i % 2 else payload)


async def main(urls):
    for url in urls:
        for server, client, server_bits, client_bits in itertools.product(
                [False, True], [False, True], [None, 9, 15], [None, True, 10]):
            options = dict(
                server_no_context_takeover=server, client_no_context_takeover=client,
                server_max_window_bits=server_bits, client_max_window_bits=client_bits)
            print(options, await echo(url, **options), flush=True)


asyncio.run(main(sys.argv[1:]))
