// A VNC client. Besides what address.js says, its address takes
//
//   password, username   asked for when they are missing and wanted
//   scale      fit (default), remote (the desktop takes the window's size), off
//   view_only  1: look and touch nothing
//   shared     0: others are thrown out
//   reconnect  1: try again when the connection is lost

import RFB from '@novnc/novnc';
import { flag, leadsElsewhere, parameters, sessionURL } from './address.js';
import { element, leaveWithF6, show } from './page.js';

const FIRST_WAIT = 1000, LONGEST_WAIT = 30_000; // ms between two tries

const all = parameters(location);
const scale = element('scale'), link = element('link');
let rfb; // while there is a connection, or one is tried
let tries = 0, timer; // of the next try, while one is to come
let stopped = false; // by the visitor

/** Every session has a socket of its own, which knows how it ended better than noVNC. */
function open(url) {
  timer = undefined;
  let socket;
  try {
    socket = new WebSocket(url, ['binary']);
  } catch (error) { return display('closed', `closed: ${error.message}`); } // ws: from a page of https:
  const told = {}; // why it ends
  socket.addEventListener('close', ({ reason, code }) => Object.assign(told, { reason, code }));
  const session = new RFB(element('screen'), socket, {
    shared: flag(all, 'shared', true),
    credentials: Object.fromEntries(['username', 'password'].flatMap((name) => all.has(name) ? [[name, all.get(name)]] : [])),
  });
  rfb = session;
  session.background = 'transparent';
  session.viewOnly = flag(all, 'view_only');
  applyScale();
  display('connecting', 'connecting');
  session.addEventListener('disconnect', () => {
    if (rfb === session) closed(url, told);
  });
  follow(session, told);
}

/** Does what a session asks for; told gets why it is refused. */
function follow(session, told) {
  let name;
  session.addEventListener('connect', () => {
    tries = 0;
    display('open', name ? `connected to ${name}` : 'connected');
    session.focus();
  });
  session.addEventListener('desktopname', ({ detail }) => {
    name = detail.name;
    document.title = `${name} - wsbridge`;
    if (document.body.dataset.state === 'open') show('open', `connected to ${name}`);
  });
  session.addEventListener('credentialsrequired', ({ detail }) => ask(session, detail.types));
  session.addEventListener('serververification', (event) => verify(session, event));
  session.addEventListener('securityfailure', ({ detail }) => { told.refused = detail.reason || 'wrong password, or none that the server takes'; });
  session.addEventListener('clipboard', ({ detail }) => { element('clipboard-text').value = detail.text; });
}

function closed(url, { refused, reason, code }) {
  rfb = undefined;
  for (const dialog of document.querySelectorAll('dialog')) dialog.close();
  const why = refused ? `the server refused: ${refused}` : reason || (code === 1000 ? 'the server ended it' : 'connection lost');
  const again = flag(all, 'reconnect') && !refused && !stopped;
  if (!again) return display('closed', stopped ? 'closed by you' : `closed: ${why}`);
  const wait = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** tries++) * (1 + Math.random()) / 2;
  timer = setTimeout(open, wait, url);
  display('connecting', `closed: ${why}; trying again`);
}

function toggle(url) {
  stopped = Boolean(rfb || timer);
  clearTimeout(timer);
  timer = undefined;
  if (!stopped) return open(url);
  if (rfb) rfb.disconnect();
  else display('closed', 'closed by you');
}

function display(state, words) {
  show(state, words);
  link.textContent = state === 'closed' ? 'Connect' : 'Disconnect';
  for (const control of document.querySelectorAll('.when-open')) control.disabled = state !== 'open';
}

/** Asks for what the server wants to know. */
function ask(session, types) {
  const dialog = element('login');
  for (const field of dialog.querySelectorAll('[data-type]')) field.hidden = !types.includes(field.dataset.type);
  dialog.onclose = () => {
    if (rfb !== session) return;
    if (dialog.returnValue !== 'ok') {
      stopped = true;
      return session.disconnect();
    }
    session.sendCredentials(Object.fromEntries(types.map((type) => [type, element(`login-${type}`)?.value ?? ''])));
    element('login-password').value = '';
  };
  dialog.returnValue = '';
  dialog.showModal();
}

/** A server with a key of its own that nobody vouches for: the visitor has to. */
async function verify(session, { detail }) {
  const digest = await crypto.subtle.digest('SHA-1', detail.publickey);
  const print = Array.from(new Uint8Array(digest).slice(0, 8), (byte) => byte.toString(16).padStart(2, '0')).join('-');
  const dialog = element('verify');
  element('fingerprint').textContent = print;
  dialog.onclose = () => {
    if (rfb !== session) return;
    if (dialog.returnValue === 'ok') return session.approveServer();
    stopped = true;
    session.disconnect();
  };
  dialog.returnValue = '';
  dialog.showModal();
}

function applyScale() {
  if (!rfb) return;
  rfb.scaleViewport = scale.value === 'fit';
  rfb.resizeSession = scale.value === 'remote';
  rfb.clipViewport = scale.value === 'off';
  rfb.dragViewport = false;
}

function prepare() {
  let url;
  try {
    url = sessionURL(all, location.href);
  } catch (error) {
    link.disabled = true;
    return show('problem', `this address is wrong: ${error.message}`);
  }
  link.addEventListener('click', () => toggle(url));
  if (!leadsElsewhere(url, location.href)) return open(url);
  display('closed', `this link leads to another server, ${url.host}: connect only if you trust it`);
}

// noVNC's own pages call it resize, and fit scale.
const wanted = all.get('scale') ?? all.get('resize');
scale.value = { remote: 'remote', off: 'off' }[wanted] ?? 'fit';
scale.addEventListener('change', applyScale);
element('keys').addEventListener('click', () => {
  rfb.sendCtrlAltDel();
  rfb.focus();
});
element('clipboard').addEventListener('click', () => element('clipboard-box').showModal());
element('clipboard-box').addEventListener('close', ({ target }) => {
  if (target.returnValue === 'ok') rfb?.clipboardPasteFrom(element('clipboard-text').value);
  rfb?.focus();
});
element('full').addEventListener('click', () => {
  if (document.fullscreenElement) document.exitFullscreen();
  else element('screen').requestFullscreen().then(() => rfb?.focus());
});
leaveWithF6(link);
prepare();
