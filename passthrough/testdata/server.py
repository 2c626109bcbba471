"""server.py PORT|PATH [CERT KEY]: an echo server by the module websockets. It
prints its port, speaks the subprotocol chat, compresses, and closes with
4001 "enough" when told "enough". It ends with its standard input."""
import asyncio
import ssl
import sys

import websockets


async def echo(socket, path=None):
    async for message in socket:
        if message == "enough":
            return await socket.close(4001, "enough")
        await socket.send(message)


async def main(where, certificate):
    options = {"subprotocols": ["chat"], "max_size": None}
    if certificate:
        options["ssl"] = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        options["ssl"].load_cert_chain(*certificate)
    if where.startswith("/"):
        server = await websockets.unix_serve(echo, where, **options)
        print(where, flush=True)
    else:
        server = await websockets.serve(echo, "127.0.0.1", int(where), **options)
        print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    server.close()
    await server.wait_closed()


asyncio.run(main(sys.argv[1], sys.argv[2:]))
