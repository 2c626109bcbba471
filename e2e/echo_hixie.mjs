// node echo_hixie.mjs URL SIZE...: sends standard input as messages of these
// sizes by websocket-client, of 2010, and writes what comes back until all of
// it is there. It speaks hixie-76, whose payload is base64.
import crypto from 'node:crypto';
import { EventEmitter } from 'node:events';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';

// createClient is what Node had until 2015: a connection that is handed over
// once the answer's head is there. The request's last bytes are sent as they are.
http.createClient = (port, host) => {
  const client = new EventEmitter();
  client.request = (path, headers) => {
    const socket = net.connect(port, host);
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    socket.write(`GET ${path} HTTP/1.1\r\n${lines.join('')}\r\n`);
    let head = Buffer.alloc(0);
    socket.on('data', function read(data) {
      head = Buffer.concat([head, data]);
      const end = head.indexOf('\r\n\r\n') + 4;
      if (end < 4) return;
      socket.off('data', read);
      client.emit('upgrade', {}, socket, head.subarray(end));
    });
    return { write: (bytes, encoding) => socket.write(bytes, encoding), end() {} };
  };
  return client;
};

// A hash took text as bytes where nothing else was said.
const { update } = crypto.Hash.prototype;
crypto.Hash.prototype.update = function (data, encoding = 'latin1') {
  return update.call(this, data, encoding);
};

const { default: { WebSocket } } = await import('websocket-client');
const [url, ...sizes] = process.argv.slice(2);
const payload = readFileSync(0);
const socket = new WebSocket(url, 'base64');
const back = [];
let missing = payload.length;

socket.on('open', () => {
  let at = 0;
  for (const size of sizes.map(Number)) {
    socket.send(payload.subarray(at, at += size).toString('base64'));
  }
});
socket.on('message', (text) => {
  const data = Buffer.from(text, 'base64');
  back.push(data);
  if ((missing -= data.length) === 0) socket.close();
});
socket.on('close', () => {
  socket.removeAllListeners('wserror'); // said of every connection's end
  process.stdout.write(Buffer.concat(back));
});
socket.on('wserror', (error) => {
  throw error;
});
