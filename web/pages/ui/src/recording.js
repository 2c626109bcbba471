// Reads recordings, as package record of the bridge does: its own, websockify's
// of any age (base64 too) and websockify-js's. One that breaks off, because its
// recorder lives or was killed, ends with its last whole frame.

const HEAD = /\s*(?:(?:var|let|const)\s+)?(VNC_frame_encoding|VNC_frame_data)\s*=\s*/y;
const ENCODING = /(['"])(base64|binary)\1\s*;/y;
const SPACE = /\s*/y;
const TIME = /^([{}])(-?\d{1,12})\1/;
const ESCAPE = /^\\(?:x([\da-f]{2})|u00([\da-f]{2})|([ntrbfv0\\'"]))/i;
const SIGNS = { n: 10, t: 9, r: 13, b: 8, f: 12, v: 11, 0: 0 };

/**
 * The frames of a recording: {frames, cut}. A frame is {at, toTarget, data}: at
 * in milliseconds since the session began, never less than the one before, and
 * data in bytes. cut is whether the recording breaks off. Throws an Error that
 * names the line.
 */
export function parse(text) {
  const reader = new Reader(text);
  const base64 = reader.head();
  return { frames: reader.frames(base64), cut: reader.cut };
}

class Reader {
  cut = false;
  #text;
  #at = 0;

  constructor(text) {
    this.#text = text;
  }

  /** Reads up to the first frame. Returns whether frames are base64; undefined: the first will tell. */
  head() {
    for (let base64; ;) {
      const found = this.#match(HEAD);
      if (!found) this.#fail('not a recording: VNC_frame_data is missing');
      if (found[1] === 'VNC_frame_data') {
        if (this.#text[this.#at] !== '[') this.#fail('not a recording: the list of frames is missing');
        this.#at++;
        return base64;
      }
      const encoding = this.#match(ENCODING);
      if (!encoding) this.#fail('the encoding is neither base64 nor binary');
      base64 = encoding[2] === 'base64';
    }
  }

  frames(base64) {
    const all = [];
    let last = 0;
    for (;;) {
      const string = this.#string();
      if (string === undefined || string === 'EOF') return all;
      const [head, side, time] = TIME.exec(string) ?? this.#fail('a frame does not begin with its time');
      base64 ??= string.startsWith('UkZC', head.length); // RFB, the start of every VNC session, as noVNC decides
      last = Math.max(last, Number(time));
      const payload = string.slice(head.length);
      all.push({ at: last, toTarget: side === '}', data: base64 ? this.#base64(payload) : this.#bytes(payload) });
    }
  }

  /** The next string of the list as it stands there; undefined at the end. */
  #string() {
    this.#match(SPACE);
    const quote = this.#text[this.#at];
    if (quote === ']') return undefined;
    if (quote !== "'" && quote !== '"') return this.#end(quote);
    const start = this.#at + 1, end = this.#closing(quote, start);
    if (end < 0) return this.#end(undefined);
    this.#at = end + 1;
    const string = this.#text.slice(start, end);
    if (string === 'EOF') return string;
    this.#match(SPACE);
    const comma = this.#text[this.#at];
    if (comma !== ',') return this.#end(comma);
    this.#at++;
    return string;
  }

  /** Where the string that began at start ends; -1 if the text does first. */
  #closing(quote, start) {
    for (let at = start; ; at++) {
      at = this.#text.indexOf(quote, at);
      if (at < 0) return at;
      let backslashes = 0;
      while (at - backslashes > start && this.#text[at - backslashes - 1] === '\\') backslashes++;
      if (backslashes % 2 === 0) return at;
    }
  }

  /** There is no string: the text ends here, or sign is wrong. */
  #end(sign) {
    if (sign !== undefined && sign !== '\0') this.#fail('a frame in quotes, or the comma after it, is missing');
    this.cut = true;
    return undefined;
  }

  #bytes(string) {
    const bytes = new Uint8Array(string.length);
    let length = 0;
    for (let at = 0; at < string.length; at++) {
      let code = string.charCodeAt(at);
      if (code === 92) {
        const [all, x, u, sign] = ESCAPE.exec(string.slice(at, at + 6)) ?? this.#fail('a backslash before what means nothing');
        code = sign ? SIGNS[sign] ?? sign.charCodeAt(0) : parseInt(x ?? u, 16);
        at += all.length - 1;
      }
      if (code > 255) this.#fail('a frame has a character that is no byte');
      bytes[length++] = code;
    }
    return bytes.slice(0, length);
  }

  #base64(string) {
    try {
      return Uint8Array.from(atob(string), (character) => character.charCodeAt(0));
    } catch { return this.#fail('a frame is not the base64 that the recording is in'); }
  }

  #match(pattern) {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text);
    if (found) this.#at = pattern.lastIndex;
    return found;
  }

  #fail(why) {
    const line = this.#text.slice(0, this.#at).split('\n').length;
    throw new Error(`line ${line}: ${why}`);
  }
}

/** Whether frames are of a VNC session. */
export function isVNC(frames) {
  const first = frames.find(({ toTarget }) => !toTarget);
  return Boolean(first) && String.fromCharCode(...first.data.subarray(0, 4)) === 'RFB ';
}

/** The frames with no pause longer than most ms. */
export function shorten(frames, most) {
  let before = 0, at = 0;
  return frames.map((frame) => {
    at += Math.min(frame.at - before, most);
    before = frame.at;
    return { ...frame, at };
  });
}

/** The terminal's size that a telnet client told, [columns, rows]; undefined if none did. */
export function toldSize(frames) {
  for (const { toTarget, data } of frames) {
    const at = toTarget ? data.findIndex((byte, i) => byte === 255 && data[i + 1] === 250 && data[i + 2] === 31) : -1;
    if (at >= 0 && data.length >= at + 9) return [data[at + 3] << 8 | data[at + 4], data[at + 5] << 8 | data[at + 6]];
  }
  return undefined;
}
