"""visitors_autobahn.py URL: eight clients by Debian's autobahn that echo what a
server says, and come back whenever a session is over,
until nobody is there."""
import asyncio
import contextlib
import sys
from urllib.parse import urlsplit

from autobahn.asyncio.websocket import WebSocketClientFactory, WebSocketClientProtocol


class Echo(WebSocketClientProtocol):
    def onMessage(self, payload, isBinary):
        self.sendMessage(payload, isBinary)


async def visit(factory, place):
    while True:
        _, visitor = await asyncio.get_running_loop().create_connection(factory, place.hostname, place.port)
        await visitor.is_closed
        await asyncio.sleep(0.001)


async def main():
    factory = WebSocketClientFactory(sys.argv[1])
    factory.protocol = Echo
    factory.setProtocolOptions(failByDrop=False, openHandshakeTimeout=0)  # it fails by a Close that says why
    with contextlib.suppress(ConnectionRefusedError):
        await asyncio.gather(*(visit(factory, urlsplit(sys.argv[1])) for _ in range(8)))

asyncio.run(main())
