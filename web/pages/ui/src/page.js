// What the pages have in common.

export const element = (id) => document.getElementById(id);

/** An element made of its properties and children. */
export function make(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

/** Shows the page's state: idle, connecting, open, closed or problem. */
export function show(state, words) {
  document.body.dataset.state = state;
  element('status').textContent = words;
}

/** JSON from beside the page. Throws an Error with the server's own words. */
export async function fetchJSON(path) {
  const answer = await fetch(path, { cache: 'no-store' }).catch(() => { throw new Error('the bridge does not answer'); });
  if (!answer.ok) throw new Error((await answer.text()).trim().split('\n')[0] || `HTTP status ${answer.status}`);
  return answer.json();
}

/** Ctrl+F6 takes the keyboard out of what else keeps every key, such as a terminal. */
export function leaveWithF6(to) {
  addEventListener('keydown', (event) => {
    if (event.key !== 'F6' || !event.ctrlKey) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    to.focus();
  }, { capture: true });
}
