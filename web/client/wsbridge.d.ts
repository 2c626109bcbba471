/** What WebSocket, RTCDataChannel and the WebSocket of the npm package ws have in common. */
export interface Channel {
  binaryType: string;
  readonly protocol: string;
  readonly readyState: number | string;
  onopen: ((event: any) => any) | null;
  onmessage: ((event: any) => any) | null;
  onclose: ((event: any) => any) | null;
  onerror: ((event: any) => any) | null;
  send(data: any): void;
  close(code?: number, reason?: string): void;
}

export interface WebsockOptions {
  /** Used instead of the global WebSocket; Node 20 has none: take that of the package ws. */
  WebSocket?: new (url: string, protocols?: string | string[]) => any;
}

export interface WebsockEvents {
  /** Unread bytes are in rQ. Never with an empty one. */
  message: () => void;
  open: () => void;
  close: (event: CloseEvent) => void;
  /** An Event of the socket; or a string with the name, text and stack of what a handler threw. */
  error: (error: Event | string) => void;
}

/** A number and a function that returns it; see Websock.rQlen. */
export type Length = number & (() => number);

/**
 * A WebSocket with a receive queue (rQ) to parse from and a send queue (sQ):
 * noVNC's Websock, with the members of all its generations. What is not here:
 * maxBufferedAmount, because flush never holds bytes back, and testMode.
 *
 * Bytes travel in binary messages; as base64 in text messages when the server
 * picks the subprotocol base64; other text messages are read as UTF-8.
 *
 * Reads start at the receive index rQi. They throw RangeError, and take
 * nothing, when they want more than there is: ask rQwait first. Where a length
 * may be left out, it is all there is.
 *
 * The receive queue begins with 4 MiB and grows to at most 40 MiB of unread
 * bytes. When more comes, or base64 that is none, the connection is closed with
 * 4008 and the error reported as a handler's is: bytes would be missing.
 */
export class Websock {
  constructor(options?: WebsockOptions);

  /** Empties both queues. open and attach do so. */
  init(): void;
  open(uri: string, protocols?: string | string[]): void;
  /** Takes a socket, opening or open, and closes the one before. An open one gives no open event. */
  attach(channel: Channel): void;
  /** Sends sQ and closes. There are no more message events; there is a close event. */
  close(code?: number, reason?: string): void;

  /** Sets the one handler of an event. What it throws goes to the error handler, or without one, on. */
  on<E extends keyof WebsockEvents>(event: E, handler: WebsockEvents[E]): void;
  off(event: keyof WebsockEvents): void;
  readonly readyState: 'unused' | 'connecting' | 'open' | 'closing' | 'closed' | 'unknown';

  /**
   * How many bytes are unread: the method of most generations, `rQlen()`. As
   * the property of noVNC 1.1 to 1.4 it works in arithmetic, with < > <= >= ==
   * and in strings. JavaScript does not allow it with ===, typeof, switch, as a
   * condition (it is always true), in JSON, or as an array's length: write
   * `rQlen()` or `+rQlen` there.
   */
  readonly rQlen: Length;
  rQi: number;
  get_rQi(): number;
  set_rQi(index: number): void;
  /** The queue up to its end, with what is read before rQi: a view, valid until the next message. */
  readonly rQ: Uint8Array;
  get_rQ(): Uint8Array;
  rQwhole(): Uint8Array;
  /**
   * True if fewer than num bytes are there: return, and go on at the next
   * message. It then first goes goback bytes back, over what this handler call
   * has read; RangeError if that is not so much.
   */
  rQwait(msg: string, num: number, goback?: number): boolean;

  /** The next byte; undefined if there is none. */
  rQpeek8(): number | undefined;
  rQshift8(): number;
  rQshift16(): number;
  /** Unsigned. */
  rQshift32(): number;
  /** Puts a byte back before the next one. */
  rQunshift8(byte: number): void;
  rQskip8(): void;
  rQskipBytes(length: number): void;
  /** One character a byte (Latin-1). */
  rQshiftStr(length?: number): string;
  /** A copy, or a view that is valid until the next message. */
  rQshiftBytes(length?: number, copy?: boolean): Uint8Array;
  rQpeekBytes(length?: number, copy?: boolean): Uint8Array;
  rQshiftTo(target: Uint8Array, length?: number): void;
  /** A copy; start and end count from rQi, as Array.slice does. */
  rQslice(start: number, end?: number): Uint8Array;

  /** The bytes to be sent. When 10 KiB are there, the next push sends them first. */
  readonly sQ: number[];
  get_sQ(): number[];
  /** RangeError when sQ is full and the socket not open yet. */
  sQpush8(num: number): void;
  sQpush16(num: number): void;
  sQpush32(num: number): void;
  /** One byte a character (Latin-1). */
  sQpushString(text: string): void;
  sQpushBytes(bytes: Iterable<number>): void;
  /** Sends sQ. While connecting it waits, and is sent on open; once closed it goes nowhere. True if it is empty then. */
  flush(): boolean;
  /** Push and flush. */
  send(bytes: Iterable<number>): boolean;
  send_string(text: string): boolean;
  sendString(text: string): boolean;
}

/** Who ended a session. Unknown is what a client cannot see: it lost sight of the bridge. */
export type By = 'client' | 'target' | 'bridge' | 'unknown';

/** Why a session ended: the reasons of wsbridge's close table, and what only this side knows. */
export type Why =
  | 'client closed'
  | 'protocol error'
  | 'bad payload'
  /** More than maxQueue bytes waited for the reader. */
  | 'reader too slow'
  /** By the AbortSignal. */
  | 'aborted'
  | 'target closed'
  /** Ending.reason says which. */
  | 'its own reason'
  | 'target reset'
  | 'target refused the connection'
  | 'target name not found'
  | 'target did not answer in time'
  | 'target unreachable'
  | 'target failed'
  | 'target sent bytes that are not UTF-8 text'
  | 'bridge shutting down'
  | 'session idle'
  | 'ended by the administrator'
  | 'no longer allowed'
  | 'bridge short of memory'
  | 'bridge has too many open files'
  | 'client answered none of two pings'
  /** There was no Close frame. */
  | 'connection lost'
  /** None was made: nobody there, or an HTTP refusal, which browsers do not tell apart. */
  | 'no connection'
  /** A Close frame of some other server. */
  | 'not in the table';

/** The whys by who. */
export const ENDINGS: Readonly<Record<By, readonly Why[]>>;

/** How a session ended. It is an error because streams fail with it, unless it is plain. */
export class Ending extends Error {
  constructor(code: number, reason: string, why?: Why);
  readonly name: 'Ending';
  readonly by: By;
  /** CloseEvent.code; 4008 when this side gave up. */
  readonly code: number;
  readonly why: Why;
  /** The Close frame's reason, and without one, why. The message too. */
  readonly reason: string;
  /** This side closed, or the target did in good order: no byte is missing. */
  readonly plain: boolean;
  /** Whether another try may end better: not if it was plain or the client's doing. */
  readonly retry: boolean;
}

export interface Reconnect {
  /** Milliseconds before the first try; the next wait is twice as long, and so on. Default 500. */
  first?: number;
  /** At most so many milliseconds. Default 30000. Of every wait a random part of up to half is left out. */
  most?: number;
  /** Whether to try again; tries is how many there were since the target was last heard. Default: ending.retry. */
  when?: (ending: Ending, tries: number) => boolean;
}

export interface BridgeOptions {
  /** Used instead of the global WebSocket. One with pause and resume, such as that of the package ws, waits for a slow reader. */
  WebSocket?: new (url: any, protocols?: any) => any;
  /** Subprotocols to offer; ['binary', 'base64'] for servers that insist. Default: none. */
  protocols?: string | string[];
  /**
   * Called before every connection: resolves to a URL, or to what is to change
   * in the Bridge's, as a link in a page would: `?token=${token}`. It gets the
   * ending that made it necessary. What it rejects with is final.
   */
  refresh?: (last: Ending | undefined) => string | URL | PromiseLike<string | URL>;
  /** How run reconnects. Default: not. */
  reconnect?: boolean | Reconnect;
  /** Ends everything at once; promises and streams fail with its reason. */
  signal?: AbortSignal;
  /** Bytes of the target that may wait for a reader, 256 more counted for each message. Default 16 MiB. */
  maxQueue?: number;
  /** Bytes that may wait to be sent before a write waits. Default 1 MiB. */
  highWaterMark?: number;
}

/** One connection to the target. */
export interface Session {
  /**
   * What the target says. It ends when the session ended plainly and fails with
   * the Ending otherwise; either way after all that came. Cancelling it closes
   * the session.
   *
   * WebSocket cannot wait for a reader. When more than maxQueue bytes are
   * unread, the session ends with 'reader too slow', after them. A WebSocket
   * that can pause (that of ws, PausableSocket of ./pausable.js) waits instead.
   */
  readonly readable: ReadableStream<Uint8Array<ArrayBuffer>>;
  /**
   * To the target; strings as UTF-8. A write waits while more than
   * highWaterMark bytes are unsent.
   *
   * WebSocket has no half-close. Closing the writable waits until all is sent
   * and leaves the session open to be read: the target is not told. What tells
   * it is close of the session, after which WebSocket delivers nothing that the
   * target still says. Aborting the writable closes the session.
   */
  readonly writable: WritableStream<string | ArrayBuffer | ArrayBufferView<ArrayBuffer> | Blob>;
  /** What the server picked; '' for none. */
  readonly protocol: string;
  /** How it ended. Never rejects. */
  readonly closed: Promise<Ending>;
  /** Closes after what was written, which reaches the target. Code 1000 or 3000 to 4999. */
  close(code?: number, reason?: string): Promise<Ending>;
}

/**
 * Sessions with one target.
 *
 * A session is one connection of the target's: after a reconnection it is
 * another, with streams of its own, and nothing is sent a second time. So run
 * gives each to a handler, which begins anew.
 */
export class Bridge {
  /** The URL is ws, wss, http or https, or relative to the page. */
  constructor(url: string | URL, options?: BridgeOptions);
  /** Connects once. Rejects with the Ending that came instead of a session. */
  open(): Promise<Session>;
  /**
   * Calls handler with a session and, when that has ended and `reconnect` says
   * so, with the next one. Resolves to the last Ending if it is plain, rejects
   * with it if not. A handler may let the Ending of its session pass through;
   * anything else it throws closes the session and rejects.
   */
  run(handler: (session: Session) => unknown): Promise<Ending>;
}
