// A terminal. Besides what address.js says, its address takes
//
//   mode   raw, telnet, or auto (default): telnet if the target begins so
//   echo   1: what is typed is shown and sent line by line (raw)
//   reader 1: what is shown is told to screen readers, too
//   term   the terminal's type, told to telnet targets; default xterm-256color

import { flag, parameters } from './address.js';
import { Connection } from './connection.js';
import { LineEdit } from './lineedit.js';
import { element, leaveWithF6 } from './page.js';
import { screen, write } from './screen.js';
import { Telnet } from './telnet.js';

const all = parameters(location);
const terminal = screen(element('screen'), { screenReaderMode: flag(all, 'reader') });
const edit = new LineEdit({ print: (text) => terminal.write(text), send });
const mode = element('mode'), echo = element('echo');
let telnet; // of this session, once it is known to be so
let heard; // whether the target has said anything

const connection = new Connection({
  opened() {
    telnet = mode.value === 'telnet' ? startTelnet() : undefined;
    heard = false;
    terminal.reset();
    terminal.focus();
    displayEcho();
  },
  async receive(bytes) {
    if (!heard && mode.value === 'auto' && Telnet.begins(bytes)) telnet = startTelnet();
    heard = true;
    const text = telnet ? telnet.feed(bytes) : bytes;
    displayEcho();
    await write(terminal, text);
  },
  closed: (words) => terminal.write(`\r\n\x1b[0m\x1b[?25h\x1b[2m[${words}]\x1b[0m\r\n`),
});

function startTelnet() {
  return new Telnet({
    send: (bytes) => connection.send(bytes),
    term: all.get('term') || undefined,
    size: [terminal.cols, terminal.rows],
  });
}

function send(text) {
  sendBytes(new TextEncoder().encode(text));
}

function sendBytes(bytes) {
  connection.send(telnet ? telnet.encode(bytes) : bytes);
}

/** In telnet the target says who echoes; raw, the visitor. */
function displayEcho() {
  echo.disabled = Boolean(telnet);
  if (telnet) echo.checked = !telnet.echoes;
  terminal.options.convertEol = echo.checked && !telnet;
}

terminal.onData((text) => {
  if (!connection.isOpen) return;
  if (echo.checked) edit.type(text);
  else send(text);
});
terminal.onBinary((text) => sendBytes(Uint8Array.from(text, (character) => character.charCodeAt(0))));
terminal.onResize(({ cols, rows }) => telnet?.resize([cols, rows]));
terminal.onTitleChange((title) => { document.title = title ? `${title} - wsbridge` : 'Terminal - wsbridge'; });

mode.value = ['raw', 'telnet'].find((name) => name === all.get('mode')) ?? 'auto';
echo.checked = flag(all, 'echo');
echo.addEventListener('change', displayEcho);
leaveWithF6(element('link'));
connection.start();
