// What this bridge offers, and a test of the way to it.

import { probe } from './probe.js';
import { element, fetchJSON, make, show } from './page.js';

const PAGES = {
  terminal: ['Terminal', 'terminal.html', {}],
  telnet: ['Telnet', 'terminal.html', { mode: 'telnet' }],
  vnc: ['VNC', 'vnc.html', {}],
  line: ['Lines', 'line.html', {}],
};

async function list() {
  try {
    const { offers, more } = await fetchJSON('offers.json');
    for (const page of more) document.querySelector(`footer [href="${page}"]`).hidden = false;
    element('offers').replaceChildren(...offers.map(card));
    const none = offers.length === 0;
    show(none ? 'idle' : 'open', none ? 'this bridge names no targets' : `${offers.length} ${offers.length === 1 ? 'target' : 'targets'}`);
    fill(offers);
  } catch (error) {
    show('problem', error.message);
    fill([]);
  }
}

function card(offer) {
  const kinds = (offer.kinds ?? []).filter((kind) => Object.hasOwn(PAGES, kind));
  const shown = kinds.length ? kinds : ['terminal', 'vnc', 'line'];
  const links = shown.map((kind, n) => link(offer, kind, n === 0));
  const title = make('h3', { textContent: offer.name });
  const about = make('p', { textContent: offer.about ?? '' });
  return make('li', {}, make('div', {}, title, about), make('p', { className: 'buttons' }, ...links));
}

function link({ name, path }, kind, first) {
  const [label, page, more] = PAGES[kind];
  const href = `${page}?${new URLSearchParams({ ...(path ? { path } : {}), ...more })}`;
  return make('a', { href, textContent: label, className: first ? 'button main' : 'button', ariaLabel: `${label}: ${name}` });
}

function fill(offers) {
  const choices = offers.length ? offers : [{ name: 'the default target', path: 'websockify' }];
  element('target').replaceChildren(...choices.map(({ name, path }) => make('option', { value: path || 'websockify', textContent: name })));
}

element('test').addEventListener('submit', async (event) => {
  event.preventDefault();
  const button = element('run');
  button.disabled = true;
  element('steps').replaceChildren();
  await probe(element('target').value, ({ good, what, found }) => {
    const sign = { true: 'good', false: 'bad', undefined: 'so' }[good];
    element('steps').append(make('li', { className: sign }, make('b', { textContent: what }), ` ${found}`));
  });
  button.disabled = false;
});

list();
