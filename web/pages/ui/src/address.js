// Where a page connects to, as its own address says: after ? or, which servers
// and their logs never see, after #.
//
//   path   of the upgrade, relative to the page; default websockify
//   token  put into the path's query
//   host, port, encrypt (1 or 0)   of another bridge than the page's

/** The parameters of the page at url. */
export function parameters(url) {
  const all = new URLSearchParams(url.search);
  for (const [name, value] of new URLSearchParams(url.hash.slice(1))) all.set(name, value);
  return all;
}

/** Whether a parameter is on; without it, what it is else. */
export function flag(all, name, otherwise = false) {
  const value = all.get(name);
  return value === null ? otherwise : !['0', 'false', 'off', 'no'].includes(value.toLowerCase());
}

/** The WebSocket's URL. Throws a TypeError that says what is wrong. */
export function sessionURL(all, page) {
  const url = new URL(all.get('path') || 'websockify', new URL('.', page));
  if (all.get('host')) url.hostname = all.get('host');
  if (all.get('port')) url.port = all.get('port');
  if (all.get('token')) url.searchParams.set('token', all.get('token'));
  const secure = flag(all, 'encrypt', ['https:', 'wss:'].includes(url.protocol));
  if (!/^(https?|wss?):$/.test(url.protocol)) throw new TypeError(`no WebSocket at ${url.protocol} addresses`);
  url.protocol = secure ? 'wss:' : 'ws:';
  url.hash = '';
  return url;
}

/** Whether url leads to another server than the page's own: a link could have brought the visitor here. */
export function leadsElsewhere(url, page) {
  return url.host !== new URL(page).host;
}
