import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../..', import.meta.url));

/** The wsbridge under test: E2E_WSBRIDGE, or one that is built, until t ends. */
export function build(t) {
  if (process.env.E2E_WSBRIDGE) return process.env.E2E_WSBRIDGE;
  const dir = mkdtempSync(join(tmpdir(), 'wsbridge-client-'));
  t.after(() => rmSync(dir, { recursive: true }));
  const binary = join(dir, 'wsbridge');
  execFileSync('go', ['build', '-o', binary, './cmd/wsbridge'], { cwd: root, env: { ...process.env, CGO_ENABLED: '0' } });
  return binary;
}

/** A TCP service on a port of its own; stop ends it and its connections. */
export async function serve(t, talk) {
  const sockets = new Set();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket.on('close', () => sockets.delete(socket)).on('error', () => {}));
    talk(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const stop = () => {
    server.close();
    for (const socket of sockets) socket.destroy();
  };
  t.after(stop);
  return { address: `127.0.0.1:${server.address().port}`, sockets, stop };
}

export const echo = (socket) => socket.pipe(socket);

/** A wsbridge in front of target, until stop or until t ends. */
export async function start(t, binary, target, options = [], port = 0) {
  const process = spawn(binary, [...options, `127.0.0.1:${port}`, target], { stdio: ['ignore', 'inherit', 'pipe'] });
  const exited = once(process, 'exit');
  const stop = async (signal = 'SIGTERM') => {
    process.kill(signal);
    await exited;
  };
  t.after(() => stop('SIGKILL'));
  const lines = createInterface(process.stderr);
  for await (const line of lines) {
    const found = line.match(/Listen on 127\.0\.0\.1:(\d+)/);
    if (!found) continue;
    process.stderr.resume(); // it must not fill up
    return { port: found[1], url: `ws://127.0.0.1:${found[1]}/`, stop };
  }
  throw new Error('wsbridge ended before it listened');
}
