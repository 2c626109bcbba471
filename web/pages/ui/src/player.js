/**
 * Plays what the target said. The sink is {reset(), write(bytes)}, where write
 * may return a promise to be waited for; changed is called when the position or
 * playing has. Time does not pass by itself: somebody calls tick.
 */
export class Player {
  speed = 1;
  #frames;
  #sink;
  #changed;
  #next = 0; // index of the frame to come
  #position = 0; // ms
  #playing = false;
  #busy = false;
  #gone = false;

  constructor(frames, sink, changed = () => {}) {
    this.#frames = frames.filter(({ toTarget }) => !toTarget);
    this.duration = frames.at(-1)?.at ?? 0;
    this.#sink = sink;
    this.#changed = changed;
  }

  get position() { return this.#position; }
  get playing() { return this.#playing; }

  /** Plays on, and from the start when it was at the end. */
  async play() {
    this.#playing = true;
    if (this.#position >= this.duration) await this.seek(0);
    else this.#changed();
  }

  pause() {
    this.#playing = false;
    this.#changed();
  }

  /** Goes to a position. Back is from the start again, as fast as the sink can. */
  async seek(position) {
    const to = Math.min(Math.max(position, 0), this.duration);
    if (to < this.#position) {
      this.#next = 0;
      this.#sink.reset();
    }
    this.#position = to;
    this.#changed();
    await this.#deliver();
  }

  /** Tells how many ms have passed. While the sink has enough to do, they are not counted. */
  async tick(ms) {
    if (!this.#playing || this.#busy) return;
    this.#position = Math.min(this.#position + ms * this.speed, this.duration);
    if (this.#position >= this.duration) this.#playing = false;
    this.#changed();
    await this.#deliver();
  }

  /** Ends it: the sink gets nothing more. */
  stop() {
    this.#gone = true;
    this.#playing = false;
  }

  /** Gives the sink all frames up to the position, which may change meanwhile. */
  async #deliver() {
    if (this.#busy) return;
    this.#busy = true;
    try {
      while (!this.#gone && this.#next < this.#frames.length && this.#frames[this.#next].at <= this.#position) {
        await this.#sink.write(this.#frames[this.#next++].data);
      }
    } finally { this.#busy = false; }
  }
}
