const MOST = 200; // lines

/** What was sent, walked by the arrow keys. It is kept in memory only. */
export class History {
  #lines = [];
  #at = 0;
  #draft = '';

  add(line) {
    if (line && line !== this.#lines.at(-1)) this.#lines.push(line);
    if (this.#lines.length > MOST) this.#lines.shift();
    this.#at = this.#lines.length;
  }

  /** Goes back (-1) or forth (1) from the current text; returns what to show instead. */
  move(step, current) {
    if (this.#at === this.#lines.length) this.#draft = current;
    this.#at = Math.min(Math.max(this.#at + step, 0), this.#lines.length);
    return this.#lines[this.#at] ?? this.#draft;
  }
}
