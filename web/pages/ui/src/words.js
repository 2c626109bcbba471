// Numbers and endings as people read them.

/** 1234567 as 1.18 MB. */
export function size(bytes) {
  const units = ['B', 'KB', 'MB', 'GB', 'TB'];
  let n = 0;
  for (; bytes >= 999.5 && n < units.length - 1; n++) bytes /= 1024;
  const digits = n === 0 || bytes >= 99.95 ? 0 : bytes >= 9.995 ? 1 : 2;
  return `${bytes.toFixed(digits)} ${units[n]}`;
}

/** 12345 as 12.3 k. */
export function count(n) {
  if (n < 10_000) return String(Math.round(n * 10) / 10);
  return n < 1e6 ? `${(n / 1e3).toFixed(1)} k` : `${(n / 1e6).toFixed(2)} M`;
}

/** Seconds as 3:07 or 1:02:03, and from two days on with days. */
export function duration(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const days = whole >= 2 * 86400 ? Math.floor(whole / 86400) : 0;
  const hours = Math.floor(whole / 3600) - 24 * days;
  const pair = (n) => String(n).padStart(2, '0');
  const minutes = Math.floor(whole / 60) % 60;
  const clock = hours || days ? `${hours}:${pair(minutes)}` : String(minutes);
  return `${days ? `${days} d ` : ''}${clock}:${pair(whole % 60)}`;
}

/** How a session of the client library ended. */
export function ended({ reason, code }) {
  return code > 0 && code !== 1005 && code !== 1006 ? `closed: ${reason} (${code})` : `closed: ${reason}`;
}
