"""upstream_autobahn.py: a WebSocket echo server by Debian's autobahn; it prints its port."""
import asyncio

from autobahn.asyncio.websocket import WebSocketServerFactory, WebSocketServerProtocol


class Echo(WebSocketServerProtocol):
    def onMessage(self, payload, isBinary):
        self.sendMessage(payload, isBinary)


async def main():
    factory = WebSocketServerFactory()
    factory.protocol = Echo
    factory.setProtocolOptions(failByDrop=False, openHandshakeTimeout=0)  # it fails by a Close that says why
    server = await asyncio.get_running_loop().create_server(factory, '127.0.0.1', 0)
    print('port', server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()

asyncio.run(main())
