// node visitors.mjs URL: eight clients by Node's ws that echo what a server says,
// and come back whenever a session is over, until nobody is there.
import { WebSocket } from 'ws';

function visit() {
  const socket = new WebSocket(process.argv[2], { perMessageDeflate: false });
  socket.on('message', (data, binary) => socket.send(data, { binary }));
  socket.on('error', ({ code }) => code === 'ECONNREFUSED' && process.exit()); // of others the server has been told
  socket.on('close', () => setTimeout(visit, 1));
}
for (let i = 0; i < 8; i++) visit();
