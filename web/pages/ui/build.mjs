// node build.mjs: bundles src into ../dist, with the licences of what is bundled.
import { build } from 'esbuild';
import { copyFile, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { gzipSync } from 'node:zlib';

const out = '../dist/';
const pages = ['index', 'terminal', 'vnc', 'line', 'replay', 'status'];
const scripts = ['start', ...pages.slice(1)];

/** What is bundled and not ours: its package and licence, and the files that say so, or begin by saying so. */
const others = [
  ['xterm.js', '@xterm/xterm', 'MIT', 'LICENSE'],
  ['parts of Visual Studio Code, in xterm.js', '@xterm/xterm', 'MIT', 'src/vs/base/browser/dom.ts'],
  ['xterm.js, fit addon', '@xterm/addon-fit', 'MIT', 'LICENSE'],
  ['noVNC', '@novnc/novnc', 'MPL-2.0', 'LICENSE.txt', 'docs/LICENSE.MPL-2.0'],
  ['DES, in noVNC', '@novnc/novnc', 'BSD-2-Clause and others', 'core/crypto/des.js'],
  ['pako, in noVNC', '@novnc/novnc', 'MIT', 'vendor/pako/LICENSE'],
];

await mkdir(out, { recursive: true });
const { metafile } = await build({
  entryPoints: [...scripts.map((name) => `src/${name}.js`), 'src/style.css', 'src/terminal.css'],
  outdir: out,
  chunkNames: 'chunk-[hash]',
  bundle: true,
  splitting: true,
  format: 'esm',
  target: 'es2022',
  minify: true,
  legalComments: 'none', // LICENSES.txt has them all
  banner: { js: '/* licences: LICENSES.txt */', css: '/* licences: LICENSES.txt */' },
  metafile: true,
  logLevel: 'warning',
});
for (const page of pages) await copyFile(`src/${page}.html`, `${out}${page}.html`);
await copyFile('../../demo/icon.svg', `${out}icon.svg`);
await writeFile(`${out}LICENSES.txt`, await licences());
const bundles = await pack(Object.keys(metafile.outputs).map((file) => basename(file)));
await removeOthers(['.keep', 'icon.svg', 'LICENSES.txt', ...pages.map((page) => `${page}.html`), ...bundles]);

/** Packs what is large; returns the names that the files have then. */
async function pack(names) {
  return Promise.all(names.map(async (name) => {
    const text = await readFile(out + name);
    if (text.length < 4096) return name;
    await writeFile(`${out}${name}.gz`, gzipSync(text, { level: 9 }));
    return `${name}.gz`;
  }));
}

/** Removes what an earlier build left. */
async function removeOthers(made) {
  for (const name of await readdir(out)) {
    if (!made.includes(name)) await rm(out + name);
  }
}

async function licences() {
  const texts = ['The pages of wsbridge are under the licence of wsbridge. Bundled with them, minified, are:\n'];
  for (const [name, folder, licence, ...files] of others) {
    const { version, repository } = JSON.parse(await readFile(`node_modules/${folder}/package.json`));
    const source = (repository.url ?? repository).replace(/^git\+/, '');
    texts.push(`==== ${name} (npm ${folder} ${version}): ${licence}\nSource: ${source}, version ${version}\n`);
    for (const file of files) texts.push(await notice(`node_modules/${folder}/${file}`));
  }
  return texts.join('\n');
}

/** A file of licences, or the comment that a source file begins with. */
async function notice(file) {
  const text = await readFile(file, 'utf8');
  return /\.[jt]s$/.test(file) ? text.slice(0, text.indexOf('*/') + 3) : text;
}
