// Telnet, RFC 854, without input or output: bytes of the target in, text out,
// answers given to send. Options are settled as RFC 1143 says for a side that
// never asks first: a change is answered once, and what is so already, never.

const [SE, SB, WILL, WONT, DO, DONT, IAC] = [240, 250, 251, 252, 253, 254, 255];
const [BINARY, ECHO, SGA, TTYPE, NAWS] = [0, 1, 3, 24, 31]; // RFC 856, 857, 858, 1091, 1073
const OURS = [BINARY, SGA, TTYPE, NAWS];
const THEIRS = [BINARY, ECHO, SGA];
const [CR, LF, NUL] = [13, 10, 0];
const SUB_MOST = 64; // bytes of a subnegotiation that are kept

export class Telnet {
  #send;
  #term;
  #size;
  #ours = new Set();
  #theirs = new Set();
  #state = this.#text; // what takes the next byte
  #verb; // WILL, WONT, DO or DONT, of which the option is to come
  #sub = [];
  #afterCR = false;

  /** send gets answers; term is the terminal's type; size is [columns, rows]. */
  constructor({ send, term = 'xterm-256color', size = [80, 24] }) {
    this.#send = send;
    this.#term = term;
    this.#size = size;
  }

  /** Whether bytes begin as only telnet does: with a command. */
  static begins([first, second]) { return first === IAC && (second === undefined || second >= SB && second < IAC); }

  /** Whether the target shows what is typed; without it the terminal must. */
  get echoes() { return this.#theirs.has(ECHO); }

  /** The text in bytes, which may be cut anywhere. */
  feed(bytes) {
    const text = new Uint8Array(bytes.length);
    let length = 0;
    for (const byte of bytes) {
      if (this.#state(byte)) text[length++] = byte;
    }
    return text.subarray(0, length);
  }

  /** Bytes as they are to be sent: IAC twice, and the carriage return that is no line's end before NUL. */
  encode(bytes) {
    const coded = [];
    bytes.forEach((byte, at) => {
      coded.push(byte);
      if (byte === IAC) coded.push(IAC);
      if (byte === CR && bytes[at + 1] !== LF && !this.#ours.has(BINARY)) coded.push(NUL);
    });
    return Uint8Array.from(coded);
  }

  /** Tells the target a new size, if it wanted to know. */
  resize(size) {
    this.#size = size;
    if (this.#ours.has(NAWS)) this.#tellSize();
  }

  // The states. Each takes a byte and returns whether it is text.

  #text(byte) {
    const padding = this.#afterCR && byte === NUL && !this.#theirs.has(BINARY);
    this.#afterCR = byte === CR;
    if (byte === IAC) this.#state = this.#command;
    return byte !== IAC && !padding;
  }

  #command(byte) {
    this.#state = this.#text;
    if (byte === IAC) return true;
    if (byte === SB) {
      this.#sub = [];
      this.#state = this.#inside;
    } else if (byte >= WILL) {
      this.#verb = byte;
      this.#state = this.#option;
    }
    return false; // GA, NOP, DM and others mean nothing to a terminal
  }

  #option(byte) {
    this.#state = this.#text;
    const asked = this.#verb === DO || this.#verb === DONT;
    this.#settle(asked ? [this.#ours, OURS, WILL, WONT] : [this.#theirs, THEIRS, DO, DONT], byte, this.#verb);
    return false;
  }

  #inside(byte) {
    if (byte === IAC) this.#state = this.#insideCommand;
    else if (this.#sub.length < SUB_MOST) this.#sub.push(byte);
    return false;
  }

  #insideCommand(byte) {
    this.#state = this.#inside;
    if (byte === IAC) {
      if (this.#sub.length < SUB_MOST) this.#sub.push(byte);
      return false;
    }
    this.#state = this.#text;
    if (byte === SE) this.#subnegotiation();
    return byte === SE ? false : this.#command(byte); // without SE the rest is lost, the command is not
  }

  /** Answers a verb about an option of one side. */
  #settle([on, known, yes, no], option, verb) {
    const wanted = verb === WILL || verb === DO;
    if (wanted === on.has(option)) return;
    if (wanted && !known.includes(option)) return this.#say(no, option);
    if (wanted) on.add(option);
    else on.delete(option);
    this.#say(wanted ? yes : no, option);
    if (wanted && on === this.#ours && option === NAWS) this.#tellSize();
  }

  #subnegotiation() {
    const [option, verb] = this.#sub, SEND = 1, IS = 0;
    if (option !== TTYPE || verb !== SEND || !this.#ours.has(TTYPE)) return;
    this.#say(SB, TTYPE, IS, ...new TextEncoder().encode(this.#term), IAC, SE);
  }

  #tellSize() {
    const bytes = this.#size.flatMap((n) => [n >> 8 & 255, n & 255]);
    this.#say(SB, NAWS, ...bytes.flatMap((byte) => byte === IAC ? [IAC, IAC] : byte), IAC, SE);
  }

  #say(...bytes) {
    this.#send(Uint8Array.of(IAC, ...bytes));
  }
}
