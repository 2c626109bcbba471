// The page of "wsbridge demo": lines of text over one WebSocket. What arrives
// is bytes of a stream, cut anywhere, and only ever becomes text nodes.

const maxLines = 2000; // kept in the log
const maxLine = 4096; // characters; a longer line is broken
const maxHistory = 100; // lines the arrow keys bring back

const element = (id) => document.getElementById(id);

// Log shows lines, the last of which may be unfinished. It draws once per
// frame and, in a hidden tab, holds no more than it would show.
class Log {
  #box;
  #waiting = [];
  #rest = "";
  #unfinished = document.createElement("div");
  #drawing = false;

  constructor(box) {
    this.#box = box;
    box.append(this.#unfinished);
  }

  // feed takes the next piece of the service's text.
  feed(text) {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop();
    for (const line of lines) this.#put(line, "");
    while (this.#rest.length > maxLine) {
      this.#put(this.#rest.slice(0, maxLine), "");
      this.#rest = this.#rest.slice(maxLine);
    }
    this.#draw();
  }

  // add puts in a line of the page's own: kind is "mine" or "note".
  add(line, kind) {
    if (this.#rest !== "") this.feed("\n");
    this.#put(line, kind);
    this.#draw();
  }

  #put(line, kind) {
    this.#waiting.push({ line, kind: kind || (line.startsWith("* ") ? "note" : "") });
    if (this.#waiting.length > 2 * maxLines) this.#waiting.splice(0, maxLines);
  }

  #draw() {
    if (this.#drawing) return;
    this.#drawing = true;
    requestAnimationFrame(() => {
      this.#drawing = false;
      this.#flush();
    });
  }

  #flush() {
    const box = this.#box;
    const atEnd = box.scrollHeight - box.scrollTop - box.clientHeight < 32;
    const fresh = this.#waiting.splice(0).slice(-maxLines);
    this.#unfinished.before(...fresh.map(lineElement));
    this.#unfinished.textContent = printable(this.#rest);
    this.#unfinished.hidden = this.#rest === "";
    while (box.childElementCount > maxLines + 1) box.firstElementChild.remove();
    if (atEnd) box.scrollTop = box.scrollHeight;
  }
}

function lineElement({ line, kind }) {
  const div = document.createElement("div");
  div.className = kind;
  div.textContent = printable(line.slice(0, maxLine));
  return div;
}

function printable(text) {
  return text.replace(/[\u0000-\u0008\u000a-\u001f\u007f-\u009f]/g, "");
}

// History is what was sent, walked by the arrow keys.
class History {
  #lines = [];
  #at = 0;
  #draft = "";

  add(line) {
    if (line !== this.#lines.at(-1)) this.#lines.push(line);
    if (this.#lines.length > maxHistory) this.#lines.shift();
    this.#at = this.#lines.length;
  }

  // move steps back (-1) or forth (1) from the current text and returns what
  // to show instead.
  move(step, current) {
    if (this.#at === this.#lines.length) this.#draft = current;
    this.#at = Math.min(Math.max(this.#at + step, 0), this.#lines.length);
    return this.#lines[this.#at] ?? this.#draft;
  }
}

// Meter counts the bytes of one session, one way.
class Meter {
  #output;
  #bytes = 0;

  constructor(output) {
    this.#output = output;
  }

  reset() {
    this.#bytes = 0;
    this.add(0);
  }

  add(bytes) {
    this.#bytes += bytes;
    this.#output.textContent = size(this.#bytes);
  }
}

function size(bytes) {
  if (bytes < 1024) return `${bytes} B`;
  const kb = bytes / 1024;
  return kb < 1024 ? `${kb.toFixed(1)} KB` : `${(kb / 1024).toFixed(2)} MB`;
}

// The bridge upgrades on any path; a relative one works below a proxy's prefix.
function sessionURL() {
  const url = new URL("session", document.baseURI);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url;
}

// ended says how a session ended. 1006 is the browser's word for an end
// without a Close frame.
function ended({ code, reason }) {
  const why = reason || (code === 1006 ? "no connection to the bridge" : "");
  return `closed with code ${code}${why && `: ${why}`}`;
}

const log = new Log(element("log"));
const history = new History();
const sent = new Meter(element("sent"));
const received = new Meter(element("received"));
let socket;

function show(state, words) {
  const open = state === "open";
  document.body.dataset.state = state;
  element("status").textContent = words;
  element("link").textContent = state === "closed" ? "Reconnect" : "Disconnect";
  element("link").disabled = false;
  for (const control of document.querySelectorAll("#form *, #quick button")) control.disabled = !open;
}

function connect() {
  const decoder = new TextDecoder();
  socket = new WebSocket(sessionURL(), ["binary"]);
  socket.binaryType = "arraybuffer";
  sent.reset();
  received.reset();
  show("connecting", "connecting");
  socket.addEventListener("open", () => {
    show("open", "connected");
    if (matchMedia("(hover: hover)").matches) element("line").focus();
  });
  socket.addEventListener("message", ({ data }) => {
    received.add(data.byteLength);
    log.feed(decoder.decode(data, { stream: true }));
  });
  socket.addEventListener("close", (event) => {
    log.feed(decoder.decode());
    log.add(ended(event), "note");
    const typing = document.activeElement.closest("#form, #quick");
    show("closed", ended(event));
    if (typing) element("link").focus(); // what had it is disabled now
  });
}

function send(line) {
  if (socket.readyState !== WebSocket.OPEN) return;
  const bytes = new TextEncoder().encode(line + "\n");
  socket.send(bytes);
  sent.add(bytes.length);
  log.add(line, "mine");
}

element("form").addEventListener("submit", (event) => {
  event.preventDefault();
  const line = element("line").value;
  if (line.trim() === "") return;
  history.add(line);
  send(line);
  element("line").value = "";
});

element("line").addEventListener("keydown", (event) => {
  const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
  if (!step) return;
  event.preventDefault();
  element("line").value = history.move(step, element("line").value);
});

element("quick").addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button) send(button.textContent);
});

element("link").addEventListener("click", () => {
  if (socket.readyState === WebSocket.CLOSED) return connect();
  element("link").disabled = true; // until the close comes back
  socket.close(1000);
});

connect();
