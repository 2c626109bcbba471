import './styles.js';
import { FitAddon } from '@xterm/addon-fit';
import { Terminal } from '@xterm/xterm';

// The sixteen colours have a contrast of 4.5 to the ground of their scheme.
const light = {
  background: '#ffffff', foreground: '#1c262d', cursor: '#0b6e69', cursorAccent: '#ffffff', selectionBackground: '#bfe0dd',
  black: '#1c262d', red: '#b3261e', green: '#2e6b1f', yellow: '#7a5200', blue: '#1f5fa8', magenta: '#8a3d8f', cyan: '#0b6e69', white: '#55636d',
  brightBlack: '#55636d', brightRed: '#c0352b', brightGreen: '#3a7a2a', brightYellow: '#8a5a00', brightBlue: '#2b6cb8', brightMagenta: '#9a4a9f', brightCyan: '#137a74', brightWhite: '#3d4a53',
};
const dark = {
  background: '#182026', foreground: '#dbe4ea', cursor: '#62c9bf', cursorAccent: '#182026', selectionBackground: '#2f5a58',
  black: '#98a6b0', red: '#f2877c', green: '#8fce77', yellow: '#e0b25c', blue: '#7db4f0', magenta: '#d59bdb', cyan: '#62c9bf', white: '#dbe4ea',
  brightBlack: '#98a6b0', brightRed: '#ff9d93', brightGreen: '#a6e08f', brightYellow: '#f0c878', brightBlue: '#99c6f8', brightMagenta: '#e5b3ea', brightCyan: '#7fded5', brightWhite: '#ffffff',
};

/** A terminal in box that follows the colour scheme. Without cols it follows the size of box, too. */
export function screen(box, options = {}) {
  const scheme = matchMedia('(prefers-color-scheme: dark)');
  const theme = () => (scheme.matches ? dark : light);
  const terminal = new Terminal({
    fontFamily: getComputedStyle(document.documentElement).getPropertyValue('--mono'),
    fontSize: 14,
    theme: theme(),
    minimumContrastRatio: 4.5,
    scrollback: 5000,
    ...options,
  });
  scheme.addEventListener('change', () => { terminal.options.theme = theme(); });
  terminal.open(box);
  if (!options.cols) follow(terminal, box);
  return terminal;
}

function follow(terminal, box) {
  const fit = new FitAddon();
  terminal.loadAddon(fit);
  fit.fit();
  new ResizeObserver(() => fit.fit()).observe(box);
}

/** Writes bytes or text; resolves when the terminal has dealt with it. */
export const write = (terminal, data) => new Promise((resolve) => { terminal.write(data, resolve); });
