// The bridge's numbers, drawn every time they come, and its sessions.

import { Chart } from './chart.js';
import { element, make, show } from './page.js';
import { count, duration, size } from './words.js';

const perSecond = (bytes) => `${size(bytes)}/s`;
const charts = {
  sessions: new Chart(element('sessions'), ['sessions'], count),
  traffic: new Chart(element('traffic'), ['to target', 'to client'], perSecond, 1024),
  connects: new Chart(element('connects'), ['connects per second'], count),
  refusals: new Chart(element('refusals'), ['refusals per second'], count),
  rtt: new Chart(element('rtt'), ['round trip'], (ms) => `${count(ms)} ms`),
  memory: new Chart(element('memory'), ['memory'], size, 1024),
};
const rows = new Map(); // of the table, by session id
let before; // the event before this one

const total = (refused) => Object.values(refused ?? {}).reduce((sum, n) => sum + n, 0);

function take(now) {
  show('open', `wsbridge ${now.version}, up ${duration(now.uptime)}`);
  draw(now);
  drawReasons(now.refused ?? {});
  drawTable(now.table ?? [], new Date(now.time));
  before = now;
}

/** What counts is drawn as what it grows by in a second. A bridge that began anew counts from zero. */
function draw(now) {
  const seconds = before && (new Date(now.time) - new Date(before.time)) / 1000;
  const rate = (of) => seconds > 0 && of(now) >= of(before) ? (of(now) - of(before)) / seconds : undefined;
  charts.sessions.add(now.sessions);
  charts.traffic.add(rate((s) => s.to_target), rate((s) => s.to_client));
  charts.connects.add(rate((s) => s.connects));
  charts.refusals.add(rate((s) => total(s.refused)));
  charts.rtt.add(now.rtt_ms || undefined);
  charts.memory.add(now.memory);
  element('connects-total').textContent = count(now.connects);
  element('refusals-total').textContent = count(total(now.refused));
  element('to-target-total').textContent = size(now.to_target);
  element('to-client-total').textContent = size(now.to_client);
}

function drawReasons(refused) {
  const all = Object.entries(refused).sort(([a, n], [b, m]) => m - n || a.localeCompare(b));
  const most = Math.max(1, ...all.map(([, n]) => n));
  element('reasons').replaceChildren(...all.map(([reason, n]) => make('li', {},
    make('span', { textContent: reason }),
    make('meter', { max: most, value: n, ariaLabel: reason }),
    make('b', { textContent: count(n) }))));
  element('no-reasons').hidden = all.length > 0;
}

/** Keeps the rows of living sessions, so that the focus on a button stays. */
function drawTable(table, time) {
  const living = new Set(table.map(({ id }) => id));
  for (const [id, row] of rows) {
    if (living.has(id)) continue;
    row.remove();
    rows.delete(id);
  }
  for (const session of table) {
    if (!rows.has(session.id)) begin(session);
    update(rows.get(session.id), session, time);
  }
  element('no-sessions').hidden = table.length > 0;
}

const columns = ['client', 'user', 'target', 'path', 'age', 'to_target', 'to_client'];

function begin({ id, client }) {
  const kill = make('button', { type: 'button', textContent: 'End', ariaLabel: `End the session of ${client}` });
  kill.addEventListener('click', () => end(id, client, kill));
  const row = make('tr', {}, ...columns.map(() => make('td')), make('td', {}, kill));
  rows.set(id, row);
  element('table').append(row);
}

function update(row, session, time) {
  const age = duration((time - new Date(session.since)) / 1000);
  const said = { ...session, age, to_target: size(session.to_target), to_client: size(session.to_client) };
  columns.forEach((name, n) => {
    const words = said[name] ?? '';
    if (row.cells[n].textContent !== words) row.cells[n].textContent = words;
    row.cells[n].className = name;
  });
}

async function end(id, client, button) {
  if (!confirm(`End the session of ${client}?`)) return;
  button.disabled = true;
  const answer = await fetch(`sessions/${encodeURIComponent(id)}`, { method: 'DELETE' }).catch(() => undefined);
  if (answer?.ok) return;
  button.disabled = false;
  element('said').textContent = answer ? (await answer.text()).trim() : 'the bridge does not answer';
}

/** EventSource tries again by itself, except after an HTTP refusal. */
function listen() {
  const events = new EventSource('events');
  events.onmessage = ({ data }) => take(JSON.parse(data));
  events.onerror = async () => {
    before = undefined;
    if (events.readyState !== EventSource.CLOSED) return show('connecting', 'the bridge does not answer; trying again');
    const answer = await fetch('events').catch(() => undefined);
    show('problem', answer && !answer.ok ? (await answer.text()).trim() : 'the bridge does not answer');
    answer?.body?.cancel().catch(() => {});
    setTimeout(listen, 5000);
  };
}

listen();
