/**
 * The browser's side of wsbridge. {@link Websock} is a receive queue with the
 * interface of noVNC's Websock in all its generations; {@link Bridge} is
 * streams, with reconnection. A session carries the bytes of one connection to
 * the target: the borders of messages mean nothing.
 *
 * Bytes travel in binary messages, or as base64 in text messages when the
 * server picks the subprotocol `base64`. Text without it is taken as the UTF-8
 * of the target's bytes (`wsbridge --text`).
 */

const RQ_SIZE = 4 << 20; // bytes, at first
const RQ_MOST = 40 << 20;
const SQ_SIZE = 10 << 10;
const PIECE = 48 << 10; // bytes of one message to the target
const OVERHEAD = 256; // what a queued message costs besides its bytes
const GIVEN_UP = 4008; // the Close code when this side gives up

const STATES = ['connecting', 'open', 'closing', 'closed', 'unused'];

/** One character a byte, in pieces: a call takes only so many arguments. */
function latin1(bytes) {
  let text = '';
  for (let at = 0; at < bytes.length;) {
    text += String.fromCharCode(...bytes.subarray(at, at += 8192));
  }
  return text;
}

/** The reverse. */
function charCodes(text) {
  const bytes = new Uint8Array(text.length);
  for (const at of bytes.keys()) bytes[at] = text.charCodeAt(at);
  return bytes;
}

/** The bytes of a message. Throws when it is not the base64 it should be. */
function decode({ data }, { protocol }) {
  if (typeof data != 'string') return new Uint8Array(data);
  if (protocol != 'base64') return new TextEncoder().encode(data);
  return charCodes(atob(data));
}

/** Sends bytes, which may change afterwards. */
function transmit(socket, bytes) {
  socket.send(socket.protocol == 'base64' ? btoa(latin1(bytes)) : bytes.slice());
}

function connect({ WebSocket = globalThis.WebSocket } = {}, ...address) {
  if (!WebSocket) throw new TypeError('no WebSocket: pass one');
  return new WebSocket(...address);
}

/** Gives an object the members of another, getters too. */
const extend = (object, members) => Object.defineProperties(object, Object.getOwnPropertyDescriptors(members));

/** Gives self the members rQ*: what came and was not read yet, and before it what the handler has read. */
function receiveQueue(self) {
  let queue, index, end;

  const reset = () => {
    queue = new Uint8Array(RQ_SIZE);
    index = end = 0;
  };

  /** Takes n bytes, or all, and returns a view of them. */
  const take = (n = end - index) => {
    if (index + n > end) throw new RangeError(`${end - index} of ${n} bytes`);
    return queue.subarray(index, index += n);
  };
  const shiftBytes = (len, copy = true) => copy ? take(len).slice() : take(len);
  const number = (n) => take(n).reduce((sum, byte) => sum * 256 + byte);
  const whole = () => queue.subarray(0, end);

  /** At the queue's end, what is unread moves to its front, or to a larger queue's. */
  const store = (bytes) => {
    const unread = queue.subarray(index, end), need = unread.length + bytes.length;
    if (need > RQ_MOST) throw new RangeError('receive queue full');
    if (index == end || end + bytes.length > queue.length) {
      if (queue.length < 2 * need) queue = new Uint8Array(Math.min(4 * need, RQ_MOST));
      queue.set(unread);
      index = 0;
      end = unread.length;
    }
    queue.set(bytes, end);
    end += bytes.length;
  };

  extend(self, {
    get rQlen() {
      const unread = end - index, answer = () => unread;
      answer[Symbol.toPrimitive] = answer;
      return answer;
    },
    get rQi() { return index; },
    set rQi(to) { index = to; },
    get_rQi: () => index,
    set_rQi(to) { index = to; },

    get rQ() { return whole(); },
    get_rQ: whole,
    rQwhole: whole,

    rQwait(msg, num, goback = 0) {
      if (end - index >= num) return false;
      if (goback > index) throw new RangeError(`${msg}: no way back`);
      index -= goback;
      return true;
    },

    rQpeek8: () => whole()[index],
    rQshift8: () => number(1),
    rQshift16: () => number(2),
    rQshift32: () => number(4),
    rQskip8: () => { take(1); },
    rQskipBytes: (n) => { take(n); },
    rQunshift8(byte) {
      if (index) index--;
      else [[0], shiftBytes()].map(store);
      queue[index] = byte;
    },

    rQshiftStr: (len) => latin1(take(len)),
    rQshiftBytes: shiftBytes,
    rQshiftTo(target, len) { target.set(take(len)); },
    rQpeekBytes(len, copy) {
      const bytes = shiftBytes(len, copy);
      index -= bytes.length;
      return bytes;
    },
    rQslice: (from, to) => queue.subarray(index, end).slice(from, to),
  });
  return { store, reset };
}

/**
 * A WebSocket with a receive queue (rQ) to parse from and a send queue (sQ):
 * wsbridge.d.ts tells of each member. It is also a function to call without new.
 */
export function Websock(options) {
  let socket, sQ;
  const self = new.target ? this : Object.create(Websock.prototype);
  const handlers = {}, { store, reset } = receiveQueue(self);

  const flush = () => {
    const state = self.readyState;
    if (state == 'open' && sQ.length) transmit(socket, Uint8Array.from(sQ));
    if (state != 'connecting') sQ = [];
    return !sQ.length;
  };
  const push = (byte) => {
    if (sQ.length >= SQ_SIZE && !flush()) throw new RangeError('send queue full');
    sQ.push(byte & 255);
  };
  const push16 = (num) => [num >> 8, num].map(push);
  const pushBytes = (bytes) => { for (const byte of bytes) push(byte); };
  const pushString = (text) => pushBytes(charCodes(text));
  const sendString = (text) => flush(pushString(text));

  /** A hole in the stream would be worse than its end. */
  const receive = (message) => {
    try {
      store(decode(message, socket));
    } catch (error) {
      self.close(GIVEN_UP, error.message);
      throw error;
    }
  };

  const happened = (event, detail) => {
    if (event == 'open') flush();
    if (event == 'message') {
      if (self.readyState != 'open') return;
      receive(detail);
      if (self.rQlen < 1) return;
    }
    handlers[event]?.(detail);
  };

  /** What a handler throws is an error event; if that has no handler, it is thrown. */
  const listener = (channel, event) => (detail) => {
    if (channel != socket) return;
    try {
      happened(event, detail);
    } catch (error) {
      if (!handlers.error) throw error;
      handlers.error(`${error}\n${error?.stack}`);
    }
  };

  extend(self, {
    init() {
      reset();
      sQ = [];
    },
    open(uri, protocols) { self.attach(connect(options, uri, protocols)); },
    attach(channel) {
      self.close();
      self.init();
      socket = channel;
      channel.binaryType = 'arraybuffer';
      for (const event of ['open', 'message', 'close', 'error']) channel['on' + event] = listener(channel, event);
    },
    close(code, reason) {
      flush();
      if (STATES.slice(0, 2).includes(self.readyState)) socket.close(code, reason);
    },
    get readyState() {
      const state = socket ? socket.readyState : 'unused';
      return STATES[state] ?? (STATES.includes(state) ? state : 'unknown');
    },

    on(event, handler) { handlers[event] = handler; },
    off(event) { delete handlers[event]; },

    get sQ() { return sQ; },
    get_sQ: () => sQ,
    flush,
    sQpush8: push,
    sQpush16(num) { push16(num); },
    sQpush32(num) { [num >> 16, num].map(push16); },
    sQpushString: pushString,
    sQpushBytes: pushBytes,
    send: (bytes) => flush(pushBytes(bytes)),
    send_string: sendString,
    sendString,
  });
  self.init();
  return self;
}

const CLIENT = ['client closed', 'protocol error', 'bad payload', 'reader too slow', 'aborted'];
const TARGET = ['target closed', 'its own reason', 'target reset', 'target refused the connection',
  'target name not found', 'target did not answer in time', 'target unreachable', 'target failed',
  'target sent bytes that are not UTF-8 text'];
const BRIDGE = ['bridge shutting down', 'session idle', 'client answered none of two pings', 'ended by the administrator',
  'no longer allowed', 'bridge short of memory', 'bridge has too many open files'];
const UNKNOWN = ['connection lost', 'no connection', 'not in the table'];

/** Why sessions end, by who ends them: wsbridge's close table, and what only this side knows. */
export const ENDINGS = { client: CLIENT, target: TARGET, bridge: BRIDGE, unknown: UNKNOWN };

/** Why, when the Close frame's reason is not in the table. */
const USUAL = {
  1000: TARGET[0], 1001: BRIDGE[0], 1002: CLIENT[1], 1006: UNKNOWN[0], 1007: CLIENT[2], 1011: TARGET[1],
};

const who = (why) => Object.keys(ENDINGS).find((by) => ENDINGS[by].includes(why));

/** How a session ended. It is an error because streams fail with it, unless it is plain. */
export class Ending extends Error {
  name = 'Ending';

  constructor(code, reason, why) {
    why ??= who(reason) ? reason : USUAL[code] ?? UNKNOWN[2];
    super(reason ||= why);
    const by = who(why), plain = code == 1000 || why == CLIENT[0];
    Object.assign(this, { by, code, reason, why, plain, retry: !plain && by != 'client' && code != 1008 });
  }
}

/** Ends early when the signal aborts. */
function sleep(ms, signal) {
  return new Promise((resolve) => {
    const awake = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', awake);
      resolve();
    };
    const timer = setTimeout(awake, ms);
    signal?.addEventListener('abort', awake);
  });
}

/** Waits until at most limit bytes are unsent, for which WebSocket has no event, or check throws. */
async function drain(socket, limit, check) {
  while (check(), socket.bufferedAmount > limit) await sleep(8);
}

async function write(socket, chunk, limit, check) {
  const bytes = new Uint8Array(await new Response(chunk).arrayBuffer());
  for (let at = 0; at < bytes.length;) {
    await drain(socket, limit, check);
    transmit(socket, bytes.subarray(at, at += PIECE));
  }
}

/**
 * A session over a socket. Resolves when the server has agreed, rejects when it
 * ends before. A socket that can pause and resume is made to wait for the reader.
 */
function begin(socket, { signal, maxQueue = 16 << 20, highWaterMark = 1 << 20 }, heard) {
  return new Promise((resolve, reject) => {
    let queue = [], size = 0, wanted, reader, writer, finish, told, error, ending;
    let why = UNKNOWN[1]; // the session would end now, if the server does not say

    const close = (code = 1000, reason) => {
      socket.resume?.();
      socket.close(code, reason);
      why = CLIENT[0];
      return closed;
    };

    /** Gives a waiting read what is queued and, after all of it, the end. */
    const feed = () => {
      if (wanted && queue[0]) {
        wanted = false;
        const bytes = queue.shift();
        size -= bytes.length + OVERHEAD;
        reader.enqueue(bytes);
      }
      if (queue[0]) return;
      socket.resume?.();
      if (!ending) return;
      ending.plain ? reader?.close() : reader?.error(error);
      reader = null;
    };

    const end = (why, code, reason, cause) => {
      if (ending) return;
      ending = new Ending(code, reason, why);
      error = cause ?? ending;
      signal?.removeEventListener('abort', abort);
      if (cause) queue = [];
      writer.error(error);
      finish(ending);
      reject(error);
      feed();
    };

    /** Ends the session at once, from this side. */
    const fail = (why, cause) => {
      end(why, GIVEN_UP, why, cause);
      close(GIVEN_UP, why);
    };
    const abort = () => fail(CLIENT[4], signal.reason);

    const check = () => { if (error) throw error; };
    const closed = new Promise((resolve) => { finish = resolve; });
    const session = {
      closed,
      close,
      readable: new ReadableStream({
        start: (controller) => { reader = controller; },
        pull: () => { feed(wanted = true); },
        cancel: () => {
          reader = null;
          close();
        },
      }, { highWaterMark: 0 }),
      writable: new WritableStream({
        start: (controller) => { writer = controller; },
        write: (chunk) => write(socket, chunk, highWaterMark, check),
        close: () => drain(socket, 0, check),
        abort: () => { close(); },
      }),
    };

    signal?.addEventListener('abort', abort);
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => {
      why = undefined;
      session.protocol = socket.protocol;
      resolve(session);
    };
    socket.onerror = ({ message }) => { told = message; };
    socket.onclose = ({ code, reason }) => end(why, code, reason || told);
    socket.onmessage = (message) => {
      if (why) return;
      try {
        queue.push(decode(message, socket));
      } catch { return fail(CLIENT[2]); }
      size += queue.at(-1).length + OVERHEAD;
      heard();
      if (size > maxQueue) fail(CLIENT[3]);
      else if (size > maxQueue / 16) socket.pause?.();
      feed();
    };
  });
}

/**
 * Sessions with one target. Options, all of them optional, and what else there
 * is to know: see wsbridge.d.ts.
 */
export class Bridge {
  #url;
  #options;
  #last;
  #tries = 0; // since the target was last heard

  /**
   * @param {string | URL} url ws, wss, http or https, or relative to the page
   * @param {import('./wsbridge.js').BridgeOptions} [options]
   */
  constructor(url, options = {}) {
    this.#url = url;
    this.#options = options;
  }

  /** Connects once. Resolves to a session, rejects with the Ending that came instead. */
  async open() {
    const { refresh, signal, protocols } = this.#options;
    let url = new URL(this.#url, globalThis.location?.href);
    if (refresh) url = new URL(await refresh(this.#last), url);
    url.protocol = url.protocol.replace('http', 'ws');
    signal?.throwIfAborted();
    return begin(connect(this.#options, url, protocols), this.#options, () => { this.#tries = 0; });
  }

  /**
   * Calls handler with a session and, when that has ended and there is reason
   * to reconnect, with the next one. Resolves to the last Ending if it is plain,
   * rejects with it if not; and with whatever else handler throws.
   */
  async run(handler) {
    let ending;
    do ending = await this.#serve(handler);
    while (await this.#again(ending));
    if (ending.plain) return ending;
    throw ending;
  }

  /** One session. Its own end is no failure; what else goes wrong is thrown. */
  async #serve(handler) {
    let session;
    try {
      await handler(session = await this.open());
    } catch (error) {
      const ending = await session?.close() ?? error;
      if (ending != error || !(error instanceof Ending)) throw error;
      return error;
    }
    return session.closed;
  }

  /** Waits before another try; false when there is to be none. */
  async #again(ending) {
    const { signal, reconnect } = this.#options;
    const { first = 500, most = 30000, when = () => ending.retry } = reconnect ?? {};
    signal?.throwIfAborted();
    if (!reconnect || !when(ending, this.#tries)) return false;
    this.#last = ending;
    await sleep(Math.min(most, first * 2 ** this.#tries++) * (1 + Math.random()) / 2, signal);
    return true;
  }
}
