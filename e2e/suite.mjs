// node suite.mjs URL [MESSAGES]: plays a client's every trick on an echo server
// and prints what came of each, so that two ways to one server can be compared.
import { createHash, randomBytes } from 'node:crypto';
import { WebSocket } from 'ws';

const [url, messages = '200'] = process.argv.slice(2);
const codes = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999];
const sum = (data) => createHash('sha256').update(data).digest('hex');

// talk opens a connection, lets play do its part, and returns what was heard
// until the end.
function talk(play, options = {}) {
  return new Promise((resolve) => {
    const socket = new WebSocket(url, options.subprotocols ?? [], { perMessageDeflate: false, rejectUnauthorized: false });
    const heard = [];
    socket.on('open', () => play(socket, heard));
    socket.on('message', (data, binary) => {
      heard.push(`${binary ? 'binary' : 'text'} ${data.length} ${sum(data)}`);
      socket.emit('heard', heard.length);
    });
    socket.on('pong', (data) => { heard.push(`pong ${data}`); socket.emit('heard', heard.length); });
    socket.on('error', (error) => heard.push(`error ${error.message}`));
    socket.on('close', (code, reason) => resolve([`subprotocol ${socket.protocol}`, ...heard, `close ${code} ${reason}`]));
  });
}

// after closes once so many things were heard.
const after = (socket, n, act) => socket.on('heard', (heard) => heard === n && act());

const scenes = {
  sizes: () => talk((socket) => {
    const sizes = [0, 1, 125, 126, 65535, 65536, 1 << 20];
    for (const size of sizes) {
      socket.send('x'.repeat(size));
      socket.send(Buffer.alloc(size, 7));
    }
    after(socket, 2 * sizes.length, () => socket.close(1000, 'done'));
  }),
  fragments: () => talk((socket) => {
    socket.send('one ', { fin: false });
    socket.send('two ', { fin: false });
    socket.ping('between');
    socket.send('thr\u00e9e', { fin: true });
    after(socket, 2, () => socket.close());
  }),
  pings: () => talk((socket) => {
    socket.ping('a');
    after(socket, 1, () => socket.ping('b'.repeat(125)));
    after(socket, 2, () => socket.close(1000));
  }),
  subprotocol: () => talk((socket) => socket.close(1000), { subprotocols: ['first', 'second'] }),
  'close without a code': () => talk((socket) => socket.close()),
  'asked to close without a code': () => talk((socket) => socket.send('close')),
  'close after much': () => talk((socket) => {
    for (let i = 0; i < 50; i++) socket.send(Buffer.alloc(20_000, i));
    after(socket, 50, () => socket.close(4001, 'enough'));
  }),
};
for (const code of codes) {
  scenes[`close ${code}`] = () => talk((socket) => socket.close(code, 'a reason'));
  scenes[`asked to close ${code}`] = () => talk((socket) => socket.send(`close ${code} a reason`));
}

for (const [name, play] of Object.entries(scenes)) {
  console.log(`${name}: ${(await play()).join(', ')}`);
}

// Many messages of random sizes, each of which must come back as it is.
const sent = [];
const heard = await talk((socket) => {
  for (let i = 0; i < Number(messages); i++) {
    const data = randomBytes(Math.floor((1 << 20) * Math.random() ** 8));
    sent.push(`binary ${data.length} ${sum(data)}`);
    socket.send(data);
  }
  after(socket, Number(messages), () => socket.close(1000));
});
const whole = sent.every((line, i) => line === heard[i + 1]);
console.log(`${messages} messages: ${whole && heard.length === sent.length + 2 ? 'all came back' : 'NOT as they were sent'}`);
