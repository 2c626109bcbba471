import { Bridge, Ending } from '../../../client/wsbridge.js';
import { PausableSocket } from '../../../client/pausable.js';
import { flag, leadsElsewhere, parameters, sessionURL } from './address.js';
import { element, show } from './page.js';
import { ended } from './words.js';

/**
 * The one session of a page, and its controls: #status says how it is, #link
 * ends and begins it. Hooks, of which all but receive may be missing: opened;
 * receive, which gets bytes and returns a promise when the target is to wait;
 * closed, which gets the words that #status has.
 */
export class Connection {
  #url;
  #hooks;
  #reconnect;
  #abort; // while there is a session, or one is tried
  #session; // while it is open
  #writer;

  constructor(hooks) {
    this.#hooks = hooks;
    element('link').addEventListener('click', () => this.toggle());
  }

  /** Connects, unless the link that led here leads elsewhere: then the visitor is asked. */
  start() {
    const all = parameters(location);
    try {
      this.#url = sessionURL(all, location.href);
    } catch (error) {
      element('link').disabled = true;
      return show('problem', `this address is wrong: ${error.message}`);
    }
    this.#reconnect = flag(all, 'reconnect');
    if (!leadsElsewhere(this.#url, location.href)) return this.open();
    this.#display('closed', `this link leads to another server, ${this.#url.host}: connect only if you trust it`);
  }

  get isOpen() { return Boolean(this.#writer); }

  toggle() {
    if (this.#session) this.#session.close();
    else if (this.#abort) this.#abort.abort();
    else this.open();
  }

  async open() {
    const abort = this.#abort = new AbortController();
    this.#display('connecting', 'connecting');
    const bridge = new Bridge(this.#url, {
      WebSocket: globalThis.WebSocketStream ? PausableSocket : WebSocket,
      protocols: ['binary', 'base64'],
      reconnect: this.#reconnect && { when: (ending) => this.#retry(ending) },
      signal: abort.signal,
    });
    const end = await bridge.run((session) => this.#carry(session)).catch((error) => error);
    this.#abort = undefined;
    this.#finish(abort.signal.aborted || end.why === 'client closed' ? 'closed by you' :
      end instanceof Ending ? ended(end) : `stopped: ${end.message}`);
  }

  /** Sends text or bytes; what cannot be sent any more is dropped, as #status says. */
  send(data) {
    this.#writer?.write(data).catch(() => {});
  }

  #retry(ending) {
    if (!ending.retry) return false;
    this.#session = this.#writer = undefined;
    this.#display('connecting', `${ended(ending)}; trying again`);
    return true;
  }

  async #carry(session) {
    this.#session = session;
    this.#writer = session.writable.getWriter();
    this.#writer.closed.catch(() => {});
    this.#display('open', 'connected');
    this.#hooks.opened?.();
    const reader = session.readable.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      await this.#hooks.receive(value);
    }
  }

  #finish(words) {
    this.#session = this.#writer = undefined;
    this.#display('closed', words);
    this.#hooks.closed?.(words);
  }

  #display(state, words) {
    show(state, words);
    element('link').textContent = state === 'closed' ? 'Connect' : 'Disconnect';
  }
}
