import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { buildSync } from 'esbuild';
import * as library from '../wsbridge.js';

const home = fileURLToPath(new URL('..', import.meta.url));
const run = (program, args, cwd = home) => execFileSync(program, args, { cwd, encoding: 'utf8' });

test('it is under 6 KB minified', (t) => {
  const { outputFiles: [file] } = buildSync({
    entryPoints: [join(home, 'wsbridge.js')], bundle: true, minify: true, format: 'esm', write: false,
  });
  t.diagnostic(`${file.contents.length} bytes`);
  assert.ok(file.contents.length < 6 * 1024, `${file.contents.length} bytes`);
});

test('the types fit what users write', () => {
  run(process.execPath, [join(home, 'node_modules/typescript/bin/tsc'), '-p', 'test/tsconfig.json']);
});

test('every member is declared, and every declared member is there', () => {
  const declared = readFileSync(join(home, 'wsbridge.d.ts'), 'utf8').match(/export class Websock \{.*?^\}/ms)[0];
  const names = new Set([...declared.matchAll(/^ {2}(?:readonly )?(\w+)[(<:]/gm)].map(([, name]) => name));
  names.delete('constructor');
  assert.deepEqual([...names].sort(), Object.getOwnPropertyNames(new library.Websock()).sort());
});

test('packed and installed elsewhere, it is imported by name', () => {
  const dir = mkdtempSync(join(tmpdir(), 'wsbridge-client-'));
  try {
    const [{ filename, files }] = JSON.parse(run('npm', ['pack', '--json', '--pack-destination', dir]));
    assert.deepEqual(files.map(({ path }) => path).sort(),
      ['README.md', 'package.json', 'pausable.d.ts', 'pausable.js', 'wsbridge.d.ts', 'wsbridge.js']);
    run('npm', ['install', '--prefix', dir, '--offline', '--no-audit', '--no-fund', join(dir, filename)]);
    const script = `import * as library from 'wsbridge-client'; import 'wsbridge-client/pausable.js';
      console.log(Object.keys(library).join())`;
    assert.equal(run(process.execPath, ['--input-type=module', '--eval', script], dir).trim(), Object.keys(library).join());
  } finally {
    rmSync(dir, { recursive: true });
  }
});

test('the lock file names no registry', () => {
  assert.doesNotMatch(readFileSync(join(home, 'package-lock.json'), 'utf8'), /"resolved"/);
});
