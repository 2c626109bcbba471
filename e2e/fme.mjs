// node fme.mjs URL: two clients of a message hub open a stream; what one sends
// the other must hear, as it was sent, and the sender must not.
import { WebSocket } from 'ws';

const url = process.argv[2];
const stream = `check ${Math.random()}`;

function member(...opening) {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, { rejectUnauthorized: false });
    socket.heard = [];
    socket.on('message', (data) => { socket.heard.push(data.toString()); socket.emit('heard'); });
    socket.on('error', reject);
    socket.on('open', () => { for (const text of opening) socket.send(text); resolve(socket); });
  });
}

const hears = (socket, count) => new Promise((resolve) => {
  const look = () => socket.heard.length >= count && resolve(socket.heard);
  socket.on('heard', look);
  look();
});

const sender = await member(`{ws_op : "open", ws_stream_id : "${stream}"}`, '{"ws_op":"nonsense"}');
await hears(sender, 1); // the error: its opening is done, too
sender.heard.length = 0;
const receiver = await member(JSON.stringify({ ws_op: 'open', ws_stream_ids: [stream, 'another'] }));
receiver.send('{"ws_op":"send","ws_msg":"I am here"}'); // its opening is done when this is heard
await hears(sender, 1);
sender.send(`{ws_op:'send', ws_msg:'plain text',}`);
sender.send('{"ws_op":"send","ws_msg":{"id":12345678901234567890,"b":1}}');
await hears(receiver, 2);
sender.send('{"ws_op":"close"}');
sender.send('{"ws_op":"send","ws_msg":"too late"}');
await hears(sender, 2);
console.log(JSON.stringify({ sender: sender.heard, receiver: receiver.heard }));
sender.close();
receiver.close();
