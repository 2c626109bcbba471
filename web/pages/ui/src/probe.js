import { Bridge, Ending } from '../../../client/wsbridge.js';
import { sessionURL } from './address.js';
import { size } from './words.js';

const PATIENCE = 10_000; // ms for a session to begin
const GREETING = 2000; // ms for the target to say something by itself

/**
 * Tries the way to a target, step by step, and reports each: {good, what,
 * found}, in words; good is undefined for what is neither good nor bad. It
 * opens a session and closes it.
 */
export async function probe(path, report) {
  const url = sessionURL(new URLSearchParams({ path }), location.href);
  report(transport(url));
  if (!(await reach(report))) return;
  const session = await open(url, report);
  if (session) await listen(session, report);
}

function transport(url) {
  const safe = url.protocol === 'wss:';
  return { good: safe || undefined, what: 'Encryption', found: safe ? 'TLS, by this page\u2019s address' : 'none: anyone on the way can read along' };
}

async function reach(report) {
  const began = performance.now();
  const answer = await fetch('offers.json', { cache: 'no-store' }).catch(() => undefined);
  const found = answer ? `answers in ${Math.round(performance.now() - began)} ms` : 'does not answer';
  report({ good: Boolean(answer), what: 'HTTP', found });
  return Boolean(answer);
}

async function open(url, report) {
  const began = performance.now();
  try {
    const session = await new Bridge(url, { protocols: ['binary', 'base64'], signal: AbortSignal.timeout(PATIENCE) }).open();
    report({ good: true, what: 'WebSocket', found: `opened in ${Math.round(performance.now() - began)} ms` });
    return session;
  } catch (error) {
    report({ good: false, what: 'WebSocket', found: refusal(error) });
    return undefined;
  }
}

/** Browsers do not tell a page why an upgrade failed: here is what it may be. */
function refusal(error) {
  if (!(error instanceof Ending)) return `no answer in ${PATIENCE / 1000} s: is there a proxy that does not pass upgrades?`;
  if (error.code !== 1006) return error.reason;
  return 'refused: the bridge said no (its log says why), or a proxy does not pass upgrades';
}

/** Many targets greet; one that waits to be spoken to is as good. */
async function listen(session, report) {
  const reader = session.readable.getReader();
  const silence = new Promise((resolve) => { setTimeout(resolve, GREETING, { silent: true }); });
  const heard = await Promise.race([reader.read(), silence]).catch((ending) => ({ ending }));
  if (heard.silent) report({ good: true, what: 'Target', found: 'connected; it waits for you to speak first' });
  else if (heard.value) report({ good: true, what: 'Target', found: `says ${greeting(heard.value)}` });
  else report({ good: false, what: 'Target', found: (heard.ending ?? await session.closed).reason });
  session.close();
}

function greeting(bytes) {
  const text = new TextDecoder().decode(bytes.subarray(0, 60)).split(/[\r\n]/)[0];
  return /^[\x20-\x7e]{2,}$/.test(text) ? `\u201c${text}\u201d` : size(bytes.length);
}
