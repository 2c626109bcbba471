/** A WebSocket that does what the test says. Each new one is in FakeSocket.made. */
export class FakeSocket {
  static made = [];

  readyState = 0;
  protocol = '';
  bufferedAmount = 0;
  sent = [];
  closed; // what close was called with
  onopen = null;
  onmessage = null;
  onclose = null;
  onerror = null;

  constructor(url, protocols) {
    Object.assign(this, { url: String(url), protocols });
    FakeSocket.made.push(this);
  }

  open(protocol = '') {
    this.readyState = 1;
    this.protocol = protocol;
    this.onopen({});
    return this;
  }

  hear(...bytes) { this.onmessage({ data: Uint8Array.from(bytes.flat()).buffer }); }
  hearText(data) { this.onmessage({ data }); }
  send(data) { this.sent.push(data); }

  close(code, reason) {
    if (this.readyState > 1) return;
    this.readyState = 2;
    this.closed = [code, reason];
  }

  end(code, reason = '') {
    this.readyState = 3;
    this.onclose({ code, reason });
  }
}
