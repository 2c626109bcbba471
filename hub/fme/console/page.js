// The page of a message hub. One WebSocket is a member of the streams that a
// person opens; a second one asks for the table of channels, so that answers
// and messages, neither of which has a mark, cannot be taken for each other.

const maxMessages = 1000; // kept in the log
const askEvery = 2000; // ms
const retryAfter = 5000; // ms

const element = (id) => document.getElementById(id);

function hubURL() {
  const url = new URL(document.body.dataset.hub, document.baseURI);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url;
}

// errorOf is the error frame that a text is, or nothing.
function errorOf(text) {
  if (!text.startsWith('{"ws_op":"error"')) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

// why says how a WebSocket ended. 1006 is the browser's word for an end
// without a Close frame.
function why({ code, reason }) {
  return reason || (code === 1006 ? "no connection to the hub" : `closed with code ${code}`);
}

function log(text, kind) {
  const box = element("log");
  const atEnd = box.scrollHeight - box.scrollTop - box.clientHeight < 32;
  const line = document.createElement("div");
  line.className = kind;
  line.textContent = text;
  box.append(line);
  while (box.childElementCount > maxMessages) box.firstElementChild.remove();
  if (atEnd) box.scrollTop = box.scrollHeight;
}

// Member is in the streams the person wants. It connects when there is one,
// and opens them again after the connection was lost.
class Member {
  #streams = new Set();
  #socket;

  open(stream) {
    if (this.#streams.has(stream)) return;
    this.#streams.add(stream);
    if (this.#connected) this.#say({ ws_op: "open", ws_stream_ids: [stream] });
    else this.#connect();
    this.#show();
  }

  close(stream) {
    this.#streams.delete(stream);
    if (this.#streams.size === 0) this.#socket?.close(1000);
    else if (this.#connected) this.#say({ ws_op: "close", ws_stream_ids: [stream] });
    this.#show();
  }

  send(text) {
    if (!this.#connected) return false;
    this.#say({ ws_op: "send", ws_msg: text });
    return true;
  }

  get #connected() {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  #say(message) {
    this.#socket.send(JSON.stringify(message));
  }

  #connect() {
    if (this.#socket?.readyState === WebSocket.CONNECTING) return;
    const socket = new WebSocket(hubURL());
    this.#socket = socket;
    socket.addEventListener("open", () => {
      if (this.#streams.size > 0) this.#say({ ws_op: "open", ws_stream_ids: [...this.#streams] });
      else socket.close(1000);
      this.#show();
    });
    socket.addEventListener("message", ({ data }) => {
      const error = errorOf(data);
      log(error ? `${error.ws_code}: ${error.ws_msg}` : data, error ? "note" : "");
    });
    socket.addEventListener("close", (event) => this.#closed(socket, event));
  }

  #closed(socket, event) {
    if (socket !== this.#socket) return;
    this.#show(why(event));
    if (this.#streams.size === 0) return;
    log(`${why(event)}; trying again`, "note");
    setTimeout(() => {
      if (this.#streams.size > 0 && socket === this.#socket) this.#connect();
    }, retryAfter);
  }

  #show(trouble) {
    const open = this.#streams.size > 0;
    document.body.dataset.state = !open ? "closed" : this.#connected ? "open" : "lost";
    element("status").textContent = !open ? "no stream open" : this.#connected ? "connected" : trouble ?? "connecting";
    for (const control of element("send").elements) control.disabled = !open || !this.#connected;
    element("streams").replaceChildren(...[...this.#streams].map((stream) => this.#chip(stream)));
  }

  #chip(stream) {
    const item = document.createElement("li");
    const name = document.createElement("span");
    const button = document.createElement("button");
    name.textContent = stream;
    button.type = "button";
    button.textContent = "\u00d7";
    button.setAttribute("aria-label", `Close ${stream}`);
    button.addEventListener("click", () => this.close(stream));
    item.append(name, button);
    return item;
  }
}

// watchChannels shows the table as long as the page is looked at.
function watchChannels() {
  const socket = new WebSocket(hubURL());
  let forbidden = false;
  let timer;
  const ask = () => {
    if (!document.hidden) socket.send(JSON.stringify({ ws_op: "admin", ws_msg: "getchannelinfo()" }));
    else timer = setTimeout(ask, askEvery);
  };
  socket.addEventListener("open", ask);
  socket.addEventListener("message", ({ data }) => {
    const error = errorOf(data);
    if (error) {
      forbidden = error.ws_code === "forbidden";
      element("summary").textContent = forbidden ? "The hub does not show you the table of channels." : error.ws_msg;
      if (forbidden) return socket.close(1000);
    } else {
      showChannels(JSON.parse(data));
    }
    timer = setTimeout(ask, askEvery);
  });
  socket.addEventListener("close", (event) => {
    clearTimeout(timer);
    if (forbidden) return;
    if (event.code !== 1000) element("summary").textContent = why(event);
    setTimeout(watchChannels, retryAfter);
  });
}

function showChannels({ numchannels, channels, partial, truncated }) {
  const streams = new Set(channels.map(({ stream }) => stream)).size;
  const notes = [partial && "a machine did not answer", truncated && "there are more"].filter(Boolean);
  element("summary").textContent = [`${numchannels} on ${streams} ${streams === 1 ? "stream" : "streams"}`, ...notes].join("; ");
  element("channels").replaceChildren(...channels.map((channel) => {
    const row = document.createElement("tr");
    row.dataset.writable = channel.writable;
    for (const text of [channel.stream, channel.host, channel.port, channel.writable === "true" ? "yes" : "no"]) {
      row.insertCell().textContent = text;
    }
    return row;
  }));
}

const member = new Member();

element("open").addEventListener("submit", (event) => {
  event.preventDefault();
  member.open(element("stream").value);
  element("stream").value = "";
});

element("send").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = element("text").value;
  if (text === "" || !member.send(text)) return;
  log(text, "mine");
  element("text").value = "";
});

watchChannels();
