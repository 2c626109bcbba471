"""client.py URL [CA]: holds an echo server to its word, by the module
websockets: text and bytes of every size, fragments, a ping, the subprotocol,
compression, and a close code of its own. Prints nothing when all is well."""
import asyncio
import os
import ssl
import sys

import websockets


async def main(url, ca):
    options = {"subprotocols": ["chat"], "max_size": None}
    if ca:
        options["ssl"] = ssl.create_default_context(cafile=ca)
    async with websockets.connect(url, **options) as socket:
        assert socket.subprotocol == "chat", socket.subprotocol
        assert "permessage-deflate" in socket.response_headers["Sec-WebSocket-Extensions"]
        for size in [0, 1, 125, 126, 65535, 65536, 1 << 20]:
            for message in ["ä" * (size // 2), os.urandom(size)]:
                await socket.send(message)
                assert await socket.recv() == message, size
        await socket.send(["frag", "ment", "s"])
        assert await socket.recv() == "fragments"
        await (await socket.ping())
        await socket.send("enough")
        await socket.wait_closed()
        assert (socket.close_code, socket.close_reason) == (4001, "enough")


asyncio.run(asyncio.wait_for(main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None), 60))
