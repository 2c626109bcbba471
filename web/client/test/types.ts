// Compiled, never run: what users write must have types.
import { Bridge, Ending, ENDINGS, Websock, type By, type Session, type Why } from '../wsbridge.js';
import { PausableSocket } from '../pausable.js';

const sock = new Websock();
const bytes: number = sock.rQlen() + sock.rQlen;
sock.on('close', (event) => event.code);
sock.on('error', (error) => typeof error == 'string' ? error : error.type);
sock.send([1, 2]);
sock.send(sock.rQshiftBytes(bytes, false));
sock.attach(new WebSocket('ws://there/'));
sock.attach(null as unknown as RTCDataChannel);
// @ts-expect-error there is no such event
sock.on('opened', () => {});

const bridge = new Bridge('/websockify', {
  WebSocket: PausableSocket,
  protocols: ['binary', 'base64'],
  refresh: async (last) => `?after=${last?.code}`,
  reconnect: { first: 100, when: (ending, tries) => ending.retry && tries < 5 },
  signal: AbortSignal.timeout(1000),
});
const session: Session = await bridge.open();
await session.readable.pipeThrough(new TextDecoderStream()).pipeTo(new WritableStream<string>());
await new Blob(['x']).stream().pipeTo(session.writable);
const ending: Ending = await bridge.run(({ readable }) => readable.cancel());
const why: Why = ending.why;
const by: By = ending.by;
ENDINGS[by].includes(why);
// @ts-expect-error not in the table
if (ending.why == 'target asleep') throw ending;
