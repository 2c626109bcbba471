import { make } from './page.js';

const LINES = 2000; // kept
const LINE = 4096; // characters; a longer line is broken

/** Colours, bells and the like are a terminal's: here they are left out. */
const printable = (text) => text
  .replace(/\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)|[ -/]*[0-~])/g, '')
  .replace(/[\x00-\x08\x0a-\x1f\x7f-\x9f]/g, '');

/**
 * Lines of text in an element, the last of which may be unfinished. It draws
 * once a frame and, in a hidden tab, holds no more than it would show.
 */
export class Log {
  #box;
  #waiting = [];
  #rest = '';
  #unfinished = make('div', { hidden: true });
  #drawing = false;

  constructor(box) {
    this.#box = box;
    box.append(this.#unfinished);
  }

  /** Takes the next piece of the target's text. */
  feed(text) {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop();
    for (const line of lines) this.#put(line, '');
    while (this.#rest.length > LINE) {
      this.#put(this.#rest.slice(0, LINE), '');
      this.#rest = this.#rest.slice(LINE);
    }
    this.#draw();
  }

  /** Puts in a line of the page's own: kind is mine or note. */
  add(line, kind) {
    if (this.#rest) this.feed('\n');
    this.#put(line, kind);
    this.#draw();
  }

  clear() {
    this.#waiting = [];
    this.#rest = '';
    this.#box.replaceChildren(this.#unfinished);
    this.#draw();
  }

  #put(line, kind) {
    this.#waiting.push({ line, kind });
    if (this.#waiting.length > 2 * LINES) this.#waiting.splice(0, LINES);
  }

  #draw() {
    if (this.#drawing) return;
    this.#drawing = true;
    requestAnimationFrame(() => {
      this.#drawing = false;
      this.#flush();
    });
  }

  #flush() {
    const box = this.#box;
    const atEnd = box.scrollHeight - box.scrollTop - box.clientHeight < 32;
    const fresh = this.#waiting.splice(0).slice(-LINES);
    this.#unfinished.before(...fresh.map(({ line, kind }) =>
      make('div', { className: kind, textContent: printable(line.slice(0, LINE)) })));
    this.#unfinished.textContent = printable(this.#rest);
    this.#unfinished.hidden = !this.#rest;
    while (box.childElementCount > LINES + 1) box.firstElementChild.remove();
    if (atEnd) box.scrollTop = box.scrollHeight;
  }
}
