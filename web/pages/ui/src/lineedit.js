/**
 * A line typed into a terminal that the target does not echo. It takes what is
 * typed, shows it by print, and gives whole lines to send.
 */
export class LineEdit {
  #line = [];
  #print;
  #send;

  constructor({ print, send }) {
    this.#print = print;
    this.#send = send;
  }

  type(text) {
    if (text.length > 1 && text.startsWith('\x1b')) return; // a key that is no character
    for (const character of text.replace(/\r?\n/g, '\r')) this.#key(character);
  }

  #key(character) {
    switch (character) {
      case '\r':
        this.#print('\r\n');
        this.#send(`${this.#line.join('')}\r\n`);
        this.#line = [];
        break;
      case '\x7f': case '\b': // Backspace
        if (this.#line.pop()) this.#print('\b \b');
        break;
      case '\x15': // Ctrl+U
        this.#print('\b \b'.repeat(this.#line.length));
        this.#line = [];
        break;
      case '\x03': case '\x04': case '\x1a': // Ctrl+C, D, Z are the target's
        this.#send(this.#line.join('') + character);
        this.#line = [];
        break;
      default:
        if (character < ' ') return;
        this.#line.push(character);
        this.#print(character);
    }
  }
}
