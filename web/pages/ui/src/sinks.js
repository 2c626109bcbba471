// Where a recording is shown: see player.js.

import RFB from '@novnc/novnc';
import { screen, write } from './screen.js';
import { Telnet } from './telnet.js';

const PIECE = 64 << 10; // bytes after which the browser may draw

/** A terminal of size [columns, rows]. Back at the start it is cleared in its turn, after all that was written. */
export function terminalSink(box, [cols, rows]) {
  const terminal = screen(box, { cols, rows, disableStdin: true });
  let telnet, begun;
  return {
    reset() {
      begun = false;
      terminal.write('\x1bc');
    },
    write(bytes) {
      if (!begun) telnet = Telnet.begins(bytes) ? new Telnet({ send() {} }) : undefined;
      begun = true;
      return write(terminal, telnet ? telnet.feed(bytes) : bytes);
    },
    stop: () => terminal.dispose(),
  };
}

/** What noVNC takes for a connection; what it says goes nowhere. */
class Channel {
  binaryType = 'arraybuffer';
  protocol = '';
  readyState = 'open';
  onopen = null;
  onmessage = null;
  onclose = null;
  onerror = null;

  send() {}

  close() {
    this.readyState = 'closed';
    queueMicrotask(() => this.onclose?.({ code: 1000, reason: '' })); // as events do, after the call
  }
}

/** A VNC client. problem is called with what it cannot show. */
export function vncSink(box, problem) {
  let channel, written = 0;
  const stop = () => {
    const old = channel;
    channel = undefined;
    old?.close();
    box.replaceChildren();
  };
  const reset = () => {
    stop();
    const mine = channel = new Channel();
    const rfb = new RFB(box, mine, { credentials: { username: '', password: '', target: '' } });
    rfb.viewOnly = true;
    rfb.scaleViewport = true;
    rfb.background = 'transparent';
    let why = 'noVNC cannot follow this recording: another kind of client was recorded';
    rfb.addEventListener('securityfailure', () => { why = 'the login failed in this session'; });
    rfb.addEventListener('serververification', ({ target }) => target.approveServer());
    rfb.addEventListener('disconnect', ({ detail }) => {
      if (!detail.clean && mine === channel) problem(why);
    });
  };
  const send = async (bytes) => {
    channel?.onmessage?.({ data: bytes.slice().buffer });
    written += bytes.length;
    if (written < PIECE) return;
    written = 0;
    await new Promise((resolve) => { setTimeout(resolve); });
  };
  reset();
  return { reset, write: send, stop };
}
