/**
 * WebSocketStream (Chromium 124 and later) as a WebSocket that can pause, which
 * WebSocket itself cannot: with it a slow reader slows the target down, and is
 * not closed. Give it to Bridge where there is one:
 *
 *     new Bridge(url, { WebSocket: globalThis.WebSocketStream ? PausableSocket : WebSocket })
 *
 * It has what Bridge needs of a WebSocket and no more.
 */
export class PausableSocket {
  bufferedAmount = 0;
  protocol = '';
  #stream;
  #writer;
  #sent; // the last write
  #gate; // what reading waits for

  constructor(url, protocols = []) {
    this.#stream = new WebSocketStream(url, { protocols: [protocols].flat() });
    this.#run();
  }

  async #run() {
    let end = { closeCode: 1006, reason: '' }; // unless a Close frame comes
    try {
      await this.#carry(await this.#stream.opened);
      end = await this.#stream.closed;
    } catch { /* there is none */ }
    this.onclose({ code: end.closeCode ?? 1005, reason: end.reason });
  }

  async #carry({ readable, writable, protocol }) {
    this.protocol = protocol;
    this.#writer = writable.getWriter();
    this.onopen();
    for await (const data of readable) {
      this.onmessage({ data });
      await this.#gate;
    }
  }

  send(data) {
    const size = data.length;
    const sent = () => { this.bufferedAmount -= size; };
    this.bufferedAmount += size;
    this.#sent = this.#writer.write(data).then(sent, () => {}); // onclose tells of the failure
  }

  pause() {
    this.#gate ??= new Promise((resolve) => {
      this.resume = () => resolve(this.#gate = undefined);
    });
  }

  resume() {}

  /** Closes after all that was sent: WebSocketStream's own close would overtake it. */
  async close(closeCode, reason) {
    await this.#sent;
    this.#stream.close({ closeCode, reason });
  }
}
