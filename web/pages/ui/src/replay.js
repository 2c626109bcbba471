// Recordings, played again. Its address takes the name of one after #.

import { element, fetchJSON, make, show } from './page.js';
import { Player } from './player.js';
import { isVNC, parse, shorten, toldSize } from './recording.js';
import { terminalSink, vncSink } from './sinks.js';
import { duration, size } from './words.js';

const MOST = 256 << 20; // bytes of a recording that a page can hold
const PAUSE = 2000; // ms that a pause is shortened to
const TICK = 40; // ms

const play = element('play'), seek = element('seek'), clock = element('clock');
let player, sink, frames;

async function list() {
  try {
    const all = await fetchJSON('recordings.json');
    element('list').replaceChildren(...all.map(row));
    show('idle', all.length ? 'pick a recording' : 'no recordings yet');
  } catch (error) { show('problem', error.message); }
}

function row(recording) {
  const link = make('a', { href: `#${encodeURIComponent(recording.name)}`, textContent: recording.name });
  link.dataset.name = recording.name;
  const about = `${size(recording.size)}, ${new Date(recording.modified).toLocaleString()}`;
  return make('li', {}, link, make('small', { textContent: about }));
}

async function load(name) {
  end();
  show('connecting', `loading ${name}`);
  for (const link of element('list').querySelectorAll('a')) {
    if (link.dataset.name === name) link.setAttribute('aria-current', 'true');
    else link.removeAttribute('aria-current');
  }
  try {
    const recording = parse(await text(name));
    if (name !== chosen()) return; // another was picked meanwhile
    frames = recording.frames;
    document.title = `${name} - wsbridge`;
    begin();
    show('open', about(name, recording));
  } catch (error) { show('problem', `${name}: ${error.message}`); }
}

async function text(name) {
  const answer = await fetch(`recordings/${encodeURIComponent(name)}`);
  if (!answer.ok) throw new Error((await answer.text()).trim());
  if (Number(answer.headers.get('Content-Length')) > MOST) throw new Error(`more than ${size(MOST)}: too large for a page`);
  return answer.text();
}

function about(name, recording) {
  const kind = isVNC(recording.frames) ? 'VNC' : 'text';
  return `${name}: ${kind}, ${recording.frames.length} frames${recording.cut ? ', breaks off' : ''}`;
}

function begin() {
  element('stage').dataset.kind = isVNC(frames) ? 'vnc' : 'text';
  sink = isVNC(frames) ? vncSink(element('stage'), (why) => show('problem', `${chosen()}: ${why}`)) :
    terminalSink(element('stage'), toldSize(frames) ?? [80, 24]);
  start();
  player.play();
}

/** A player for the frames, with pauses or without. */
function start() {
  const shown = element('shorten').checked ? shorten(frames, PAUSE) : frames;
  player = new Player(shown, sink, display);
  player.speed = Number(element('speed').value);
  seek.max = Math.max(1, player.duration);
  for (const control of document.querySelectorAll('#controls *')) control.disabled = false;
  display();
}

function end() {
  player?.stop();
  sink?.stop();
  player = sink = undefined;
  element('stage').replaceChildren();
  for (const control of document.querySelectorAll('#controls *')) control.disabled = true;
}

function display() {
  if (!player) return;
  play.textContent = player.playing ? 'Pause' : 'Play';
  seek.value = player.position;
  const [now, whole] = [player.position, player.duration].map((ms) => `${duration(ms / 1000)}.${Math.floor(ms / 100) % 10}`);
  clock.textContent = `${now} / ${whole}`;
  seek.setAttribute('aria-valuetext', `${now} of ${whole}`);
}

const chosen = () => decodeURIComponent(location.hash.slice(1));
const toggle = () => (player.playing ? player.pause() : player.play());

play.addEventListener('click', toggle);
seek.addEventListener('input', () => player.seek(Number(seek.value)));
element('speed').addEventListener('change', ({ target }) => { if (player) player.speed = Number(target.value); });
element('shorten').addEventListener('change', () => {
  if (!player) return;
  const playing = player.playing;
  player.stop();
  sink.reset();
  start();
  if (playing) player.play();
});
addEventListener('keydown', (event) => {
  if (!player || event.target.matches('input, select, button, a, textarea') || event.ctrlKey || event.altKey || event.metaKey) return;
  const step = { ArrowLeft: -5000, ArrowRight: 5000 }[event.key];
  if (event.key === ' ') toggle();
  else if (step) player.seek(player.position + step);
  else return;
  event.preventDefault();
});

setInterval(() => player?.tick(TICK), TICK);
addEventListener('hashchange', () => load(chosen()));
end();
await list();
if (chosen()) load(chosen());
