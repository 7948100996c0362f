import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { poll } from '../../infra/dev/lib/delay.mjs';
import { identify } from '../../infra/dev/lib/process-identity.mjs';
import { layDownCluster } from '../support/lay-down-cluster.js';
import {
  childPid,
  launcherPid,
  processesOn,
  spawnLauncher,
  urlOf,
  type LauncherOptions,
  type TestLauncher,
} from '../support/launcher.js';
import { CLI, EXAMPLES } from '../support/stack-paths.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../support/temporary-folder.js';

const ADDRESS = 'acme/prod/checkout';
const PARTS = ['control-plane', 'nats', 'postgres'];

let folder: TemporaryFolder;
let launchers: TestLauncher[];

beforeEach(async () => {
  folder = await makeTemporaryFolder('launch');
  launchers = [];
});

afterEach(async () => {
  for (const launcher of launchers) launcher.signal('SIGTERM');
  await Promise.all(launchers.map(({ exited }) => exited));
  // What a failed test left running is stopped as a next start would.
  if ((await processesOn(folder.path)).length > 0) await sweep();
  await folder.remove();
});

async function sweep(): Promise<void> {
  const launcher = spawnLauncher({ dataFolder: folder.path, args: ['--no-demo'] });
  await urlOf(launcher).catch(() => undefined);
  launcher.signal('SIGTERM');
  await launcher.exited;
}

function start(options: Partial<LauncherOptions> = {}): TestLauncher {
  const launcher = spawnLauncher({ dataFolder: folder.path, args: ['--no-demo'], ...options });
  launchers.push(launcher);
  return launcher;
}

async function write(url: string, document: object): Promise<number> {
  const answer = await fetch(`${url}/v1/config/${ADDRESS}`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json', 'if-none-match': '*' },
    body: JSON.stringify(document),
  });
  return answer.status;
}

async function read(url: string): Promise<unknown> {
  const answer = await fetch(`${url}/v1/config/${ADDRESS}`);
  return ((await answer.json()) as { document: unknown }).document;
}

function groupOf(pid: number): number {
  return Number(execFileSync('ps', ['-o', 'pgid=', '-p', String(pid)], { encoding: 'utf8' }));
}

async function nothingIsLeft(): Promise<void> {
  expect(await poll(async () => (await processesOn(folder.path)).length === 0, BRIEFLY)).toBe(true);
}

const BRIEFLY = { deadlineMs: 5_000 };

describe('npm start', () => {
  it('serves, stops on SIGTERM leaving no process, and finds its data again', async () => {
    const first = start();
    const url = await urlOf(first);
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
    expect(await processesOn(folder.path)).toEqual(PARTS);
    expect(await write(url, { limit: 1 })).toBe(201);
    first.signal('SIGTERM');
    expect(await first.exited).toBe(0);
    await nothingIsLeft();

    const second = start();
    expect(await read(await urlOf(second))).toEqual({ limit: 1 });
    expect(second.output(), 'what is built is not built again').toMatch(/Building what changed/);
    second.signal('SIGINT');
    expect(await second.exited).toBe(0);
    await nothingIsLeft();
  });

  it('stops everything in order on a signal to the whole process group, through npm too', async () => {
    await layDownCluster(folder.path);
    const launcher = start({ throughNpm: true });
    await urlOf(launcher);
    for (const part of PARTS) {
      const pid = await childPid(folder.path, part);
      expect(groupOf(pid), `${part} would hear the signal before the launcher stops it`).toBe(pid);
    }
    launcher.signalGroup('SIGINT');
    await launcher.exited;
    expect(launcher.output()).toMatch(/Stopping: done/);
    expect(launcher.output()).not.toMatch(/ended unexpectedly/);
    await nothingIsLeft();
  });

  it('stops when the npm that started it is killed', async () => {
    await layDownCluster(folder.path);
    const launcher = start({ throughNpm: true });
    await urlOf(launcher);
    const pid = await launcherPid(folder.path);
    expect(pid).not.toBe(launcher.pid);
    launcher.signal('SIGKILL');
    expect(await poll(() => identify(pid) === undefined, { deadlineMs: 30_000 })).toBe(true);
    await nothingIsLeft();
  });

  it('after a kill -9 stops its own orphans and finds its data', async () => {
    await layDownCluster(folder.path);
    const first = start();
    const before = await urlOf(first);
    expect(await write(before, { limit: 2 })).toBe(201);
    const orphan = await childPid(folder.path, 'control-plane');
    first.signal('SIGKILL');
    await first.exited;
    expect(await processesOn(folder.path)).toEqual(PARTS);

    const second = start();
    expect(await read(await urlOf(second))).toEqual({ limit: 2 });
    expect(second.output()).toMatch(/Stopped what an earlier start left running/);
    expect(identify(orphan)).toBeUndefined();
    expect(await processesOn(folder.path)).toEqual(PARTS);
  });

  it('lets one of two starts at once run and tells the other who does', async () => {
    await layDownCluster(folder.path);
    const both = [start(), start()];
    const refused = await Promise.race(both.map(async (one) => (await one.exited, one)));
    const runs = both.find((one) => one !== refused)!;
    const url = await urlOf(runs);
    expect(await refused.exited).toBe(1);
    expect(refused.output()).toMatch(
      new RegExp(`Pawl already runs on ${folder.path}: process ${runs.pid}\\b`),
    );
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
    const late = start();
    expect(await late.exited).toBe(1);
    expect(late.output()).toContain(`process ${runs.pid}, at ${url}`);
  });

  it('says which part died of what, stops the rest and exits with 1', async () => {
    await layDownCluster(folder.path);
    const launcher = start();
    await urlOf(launcher);
    await launcher.waitFor(/apply -f examples\/shop --promote\n/);
    process.kill(await childPid(folder.path, 'nats'), 'SIGKILL');
    expect(await launcher.exited).toBe(1);
    expect(launcher.output().split('Error: ')[1]).toMatch(
      /^NATS ended unexpectedly with SIGKILL; its log is \S+nats\.log\. Stopping the rest; PAWL_DATA_DIR=\S+ npm start again continues from its data\.\n$/,
    );
    await nothingIsLeft();
  });

  it('stops at once when interrupted while it starts', async () => {
    const launcher = start();
    await launcher.waitFor(/Starting PostgreSQL/);
    launcher.signal('SIGINT');
    expect(await launcher.exited).toBe(0);
    await nothingIsLeft();
    expect(await (async () => (await urlOf(start())).length)()).toBeGreaterThan(0);
  });

  it('rolls out in front of the user, and the user’s own edit arrives', async () => {
    const launcher = start({ args: [] });
    const url = await urlOf(launcher);
    const output = launcher.output();
    expect(output).toMatch(
      /Promoting acme\/prod\/checkout: done snapshot v\d+ applied by 20 of 20/,
    );
    expect(output).toMatch(/refused acme\/prod\/checkout \/limits\/maxItems: must be integer/);
    expect(output).toMatch(
      /Rolling back to definition version \d+: done snapshot v\d+ applied by 20 of 20/,
    );
    await release(url, { limits: { maxItems: 77 } });
    await launcher.waitFor(/fleet: v\d+ applied by 20 of 20 \(.*\): limits\.maxItems = 77/);
    launcher.signal('SIGTERM');
    expect(await launcher.exited).toBe(0);
    await nothingIsLeft();

    const again = start({ args: [] });
    await urlOf(again);
    expect(again.output()).not.toContain('A first rollout');
    await again.waitFor(/Starting 20 consumers of acme\/prod\/checkout: done/);
  });

  it('repeats the demo on what runs, with consumers of its own where there are none', async () => {
    await layDownCluster(folder.path);
    const launcher = start();
    await urlOf(launcher);
    for (const turn of ['first', 'second']) {
      const demo = start({ script: DEMO, args: [] });
      expect(await demo.exited, `${turn}: ${demo.output()}`).toBe(0);
      expect(demo.output()).toMatch(
        /Rolling back to definition version \d+: done snapshot v\d+ applied by/,
      );
    }
    expect(await processesOn(folder.path)).toEqual(PARTS);
  });

  it('repeats the demo where others wrote just what it would write', async () => {
    await layDownCluster(folder.path);
    const launcher = start();
    const env = { ...process.env, PAWL_URL: await urlOf(launcher), USER: 'ann' };
    const apply = ['apply', '-f', join(EXAMPLES, 'shop'), '--promote'];
    execFileSync(process.execPath, [CLI, ...apply], { env });
    const demo = start({ script: DEMO, args: [] });
    expect(await demo.exited, demo.output()).toBe(0);
    await patch(env.PAWL_URL, { limits: { maxItems: 1 } }, 'ann');
    const refused = start({ script: DEMO, args: [] });
    expect(await refused.exited).toBe(1);
    expect(refused.output()).toMatch(/acme\/prod\/checkout was written by ann/);
  });

  it('does not write over what others wrote, unless told to', async () => {
    await layDownCluster(folder.path);
    const launcher = start();
    const url = await urlOf(launcher);
    expect(await write(url, { limits: { maxItems: 1 } })).toBe(201);
    const refused = start({ script: DEMO, args: [] });
    expect(await refused.exited).toBe(1);
    expect(refused.output()).toMatch(
      /Error: Version 1 of acme\/prod\/checkout was written by anonymous, .*npm run demo -- --overwrite/,
    );
    expect(await read(url)).toEqual({ limits: { maxItems: 1 } });
    const told = start({ script: DEMO, args: ['--overwrite'] });
    expect(await told.exited, told.output()).toBe(0);
    await release(url, { limits: { maxItems: 77 } });
    await patch(url, { limits: { maxItems: 78 } }, 'demo');
    const stable = start({ script: DEMO, args: [] });
    expect(await stable.exited, 'the newest is the demo’s, what runs is not').toBe(1);
  });
});

const DEMO = new URL('../../infra/dev/demo.mjs', import.meta.url).pathname;

async function patch(url: string, change: object, actor: string): Promise<void> {
  const written = await fetch(`${url}/v1/config/${ADDRESS}`, {
    method: 'PATCH',
    headers: {
      'content-type': 'application/merge-patch+json',
      'if-match': '*',
      'x-pawl-actor': actor,
    },
    body: JSON.stringify(change),
  });
  expect(written.status).toBe(200);
}

async function release(url: string, change: object): Promise<void> {
  await patch(url, change, 'ann');
  const promoted = await fetch(`${url}/v1/release/${ADDRESS}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ action: 'promote' }),
  });
  expect(promoted.status).toBe(200);
}
