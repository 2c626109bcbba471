"""upstream_websockets.py: a WebSocket echo server by Debian's websockets; it prints its port."""
import asyncio
import contextlib
import websockets


async def echo(socket, path=None):
    with contextlib.suppress(websockets.ConnectionClosed):
        async for message in socket:
            if isinstance(message, str) and message.startswith('close'):
                _, code, *reason = message.split(' ') + ['1000'] * (message == 'close')
                await socket.close(int(code), ' '.join(reason))
                return
            await socket.send(message)


async def main():
    async with websockets.serve(echo, '127.0.0.1', 0, max_size=64 << 20, ping_interval=None) as server:
        print('port', server.sockets[0].getsockname()[1], flush=True)
        await asyncio.Future()

asyncio.run(main())
