"""echo_websocket_client.py URL SIZE...: sends standard input as messages of
these sizes by the module websocket (websocket-client), and writes what comes
back until all of it is there."""
import sys
import threading

import websocket


def send(socket, payload, sizes):
    at = 0
    for size in sizes:
        socket.send_binary(payload[at:at + size])
        at += size


def receive(socket, missing):
    while missing > 0:
        message = socket.recv()
        missing -= len(message)
        sys.stdout.buffer.write(message)


def main(url, sizes):
    payload = sys.stdin.buffer.read()
    socket = websocket.create_connection(url)
    sender = threading.Thread(target=send, args=(socket, payload, sizes))
    sender.start()
    receive(socket, len(payload))
    sender.join()
    socket.close()


main(sys.argv[1], [int(size) for size in sys.argv[2:]])
