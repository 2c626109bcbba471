// node wait.mjs URL: says when it is connected, and how it was closed.
import { WebSocket } from 'ws';

const socket = new WebSocket(process.argv[2]);
socket.on('open', () => console.log('open'));
socket.on('error', (error) => console.log('error', error.message));
socket.on('close', (code, reason) => console.log(`closed ${code} ${reason}`));
