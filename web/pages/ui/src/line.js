// A console for protocols that people can type: IRC, SMTP, redis. Besides what
// address.js says, its address takes
//
//   eol   what ends a line that is sent: crlf (default) or lf

import { parameters } from './address.js';
import { Connection } from './connection.js';
import { History } from './history.js';
import { Log } from './log.js';
import { element } from './page.js';

const log = new Log(element('log'));
const history = new History();
const line = element('line'), send = element('send'), eol = element('eol');
let decoder;

const connection = new Connection({
  opened() {
    decoder = new TextDecoder();
    enable(true);
    line.focus();
  },
  receive: (bytes) => log.feed(decoder.decode(bytes, { stream: true })),
  closed(words) {
    log.feed(decoder?.decode() ?? '');
    log.add(words, 'note');
    if (!document.activeElement.matches('#link')) element('link').focus();
    enable(false);
  },
});

function enable(on) {
  line.readOnly = !on;
  send.disabled = !on;
}

element('form').addEventListener('submit', (event) => {
  event.preventDefault();
  if (!connection.isOpen) return;
  const secret = element('secret').checked;
  if (!secret) history.add(line.value);
  connection.send(line.value + (eol.value === 'lf' ? '\n' : '\r\n'));
  log.add(secret ? '\u2022'.repeat(8) : line.value, 'mine');
  line.value = '';
});

line.addEventListener('keydown', (event) => {
  const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
  if (!step || line.type === 'password') return;
  event.preventDefault();
  line.value = history.move(step, line.value);
});

element('secret').addEventListener('change', ({ target }) => {
  line.type = target.checked ? 'password' : 'text';
  line.focus();
});
element('clear').addEventListener('click', () => log.clear());

eol.value = parameters(location).get('eol') === 'lf' ? 'lf' : 'crlf';
enable(false);
connection.start();
