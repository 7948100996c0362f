import { execFile } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { REPOSITORY, TSC } from '../../infra/dev/lib/repository.mjs';
import { startStack, type TestStack } from '../support/stack.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../support/temporary-folder.js';

interface Manifest {
  readonly name: string;
  readonly private?: boolean;
  readonly dependencies?: Readonly<Record<string, string>>;
}

interface Packed {
  readonly filename: string;
  readonly files: readonly { readonly path: string }[];
}

const execute = promisify(execFile);
const ADDRESS = 'acme/prod/checkout';
const INSTALL_DEADLINE_MS = 300_000;

/** What users install: every package that is not private, with those of ours that it needs. */
function published(): readonly Manifest[] {
  const libs = join(REPOSITORY, 'libs');
  return readdirSync(libs)
    .map((room) => JSON.parse(readFileSync(join(libs, room, 'package.json'), 'utf8')) as Manifest)
    .filter((manifest) => manifest.private !== true);
}

const manifests = published();
let root: TemporaryFolder;
let project: string;
const packed = new Map<string, Packed>();

beforeAll(async () => {
  root = await makeTemporaryFolder('packaging');
  project = join(root.path, 'project');
  mkdirSync(project);
  for (const { name } of manifests) {
    const args = ['pack', '--json', '--workspace', name, '--pack-destination', root.path];
    const { stdout } = await execute('npm', args, { cwd: REPOSITORY });
    const [first] = JSON.parse(stdout) as Packed[];
    packed.set(name, first!);
  }
  const empty = { name: 'somebody-elses', private: true, type: 'module' };
  writeFileSync(join(project, 'package.json'), JSON.stringify(empty));
  const archives = [...packed.values()].map(({ filename }) => join(root.path, filename));
  const quiet = ['--prefer-offline', '--no-audit', '--no-fund', '--ignore-scripts'];
  await execute('npm', ['install', ...quiet, ...archives], { cwd: project });
}, INSTALL_DEADLINE_MS);

afterAll(() => root.remove());

/** Runs a module of the project; answers what it prints. */
async function runInProject(name: string, source: string, args: string[] = []): Promise<string> {
  writeFileSync(join(project, name), source);
  const { stdout } = await execute(process.execPath, [name, ...args], { cwd: project });
  return stdout.trim();
}

describe('what users install', () => {
  it('depends on nothing of ours that is private', () => {
    const names = manifests.map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(['@pawl/sdk', '@pawl/contracts', '@pawl/kernel']));
    for (const { dependencies = {} } of manifests) {
      const ours = Object.keys(dependencies).filter((name) => name.startsWith('@pawl/'));
      expect(names).toEqual(expect.arrayContaining(ours));
    }
  });

  it.each(manifests.map(({ name }) => name))('%s: holds its build and no tests', (name) => {
    const files = packed.get(name)!.files.map(({ path }) => path);
    expect(files.some((path) => path.startsWith('dist/') && path.endsWith('.js'))).toBe(true);
    expect(
      files.filter((path) => /\.(spec|conformance)\.|(^|\/)testing\/|^src\//.test(path)),
    ).toEqual([]);
  });

  it.each(manifests.map(({ name }) => name))(
    '%s: is found by import and by require',
    async (name) => {
      const source = `
      import { createRequire } from 'node:module';
      const { resolve } = createRequire(import.meta.url);
      const loaded = await import(${JSON.stringify(name)});
      console.log(Object.keys(loaded).length > 0, resolve(${JSON.stringify(name)}).endsWith('.js'));
    `;
      expect(await runInProject('find.mjs', source)).toBe('true true');
    },
  );

  it('@pawl/sdk: type-checks strictly in a project without our settings', async () => {
    const source = `
      import { connect } from '@pawl/sdk';
      interface Checkout { limits: { maxItems: number } }
      const pawl = await connect({ servers: 'nats://127.0.0.1:1', labels: { region: 'eu' } });
      const scope = await pawl.open<Checkout>('${ADDRESS}', { validate: (next) => next.limits.maxItems });
      export const most: number = scope.current.limits.maxItems + scope.get('limits.maxItems', 50);
      // @ts-expect-error what consumers read is frozen
      scope.current.limits.maxItems = 1;
      await pawl.close();
    `;
    writeFileSync(join(project, 'consumer.ts'), source);
    const options = ['--noEmit', '--strict', '--target', 'es2023', '--module', 'nodenext'];
    const types = ['--types', 'node', '--typeRoots', join(REPOSITORY, 'node_modules', '@types')];
    const checked = execute(process.execPath, [TSC, ...options, ...types, 'consumer.ts'], {
      cwd: project,
    });
    await expect(checked.then(({ stdout }) => stdout)).resolves.toBe('');
  });
});

describe('the installed SDK', () => {
  let stack: TestStack;

  beforeAll(async () => {
    stack = await startStack();
  });

  afterAll(() => stack.stop());

  it('reads what an operator released', async () => {
    const { url } = stack.controlPlane;
    await send('PUT', `${url}/v1/config/${ADDRESS}`, { limits: { maxItems: 42 } });
    await send('POST', `${url}/v1/release/${ADDRESS}`, { action: 'promote' });
    const source = `
      import { connect } from '@pawl/sdk';
      const pawl = await connect({ servers: process.argv[2], consumerId: 'installed' });
      const scope = await pawl.open('${ADDRESS}');
      console.log(scope.current.limits.maxItems, scope.get('limits.maxItems', 0));
      await pawl.close();
    `;
    expect(await runInProject('consume.mjs', source, [stack.nats.url])).toBe('42 42');
  });
});

async function send(method: string, url: string, body: object): Promise<void> {
  const answer = await fetch(url, {
    method,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  expect(answer.ok, `${method} ${url}: ${answer.status}`).toBe(true);
}
