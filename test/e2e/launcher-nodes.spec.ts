import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { poll } from '../../infra/dev/lib/delay.mjs';
import { eventually } from '../support/eventually.js';
import {
  childPid,
  processesOn,
  spawnLauncher,
  urlOf,
  type TestLauncher,
} from '../support/launcher.js';
import { runPawl } from '../support/run-pawl.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../support/temporary-folder.js';

const ADDRESS = 'acme/prod/checkout';
const NODES = ['node-1', 'node-2', 'node-3'];
const BRIEFLY = { deadlineMs: 5_000 };

let folder: TemporaryFolder;
let launcher: TestLauncher;
/** How many versions the address has. */
let written = 0;

beforeAll(async () => {
  folder = await makeTemporaryFolder('launch');
});

afterAll(async () => {
  launcher?.signal('SIGTERM');
  await launcher?.exited;
  await folder?.remove();
});

function start(
  args: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
): TestLauncher {
  launcher = spawnLauncher({ dataFolder: folder.path, args: ['--no-demo', ...args], env });
  return launcher;
}

async function end(name: NodeJS.Signals): Promise<void> {
  launcher.signal(name);
  expect(await launcher.exited).toBe(0);
  expect(await poll(async () => (await processesOn(folder.path)).length === 0, BRIEFLY)).toBe(true);
}

/** Base URL of each node, as the summary lists them. */
async function nodeUrls(): Promise<readonly string[]> {
  await urlOf(launcher);
  const text = launcher.output();
  const after = text.slice(text.lastIndexOf('Pawl runs at'));
  return [...after.matchAll(/^ {2}node-\d+ {2}(http:\S+) {2}process \d+$/gm)].map(
    ([, url]) => url ?? '',
  );
}

/** Writes the next version through a node, which need not own the shard: again while none does. */
async function write(url: string): Promise<void> {
  const next = written + 1;
  const status = await eventually(async () => {
    const answer = await fetch(`${url}/v1/config/${ADDRESS}`, {
      method: 'PUT',
      headers: {
        'content-type': 'application/json',
        'idempotency-key': `write-${next}`,
        ...(written === 0 ? { 'if-none-match': '*' } : { 'if-match': `"${written}"` }),
      },
      body: JSON.stringify({ n: next }),
    });
    if (answer.status === 503) throw new Error(await answer.text());
    return answer.status;
  });
  expect(status).toBe(next === 1 ? 201 : 200);
  written = next;
}

/** What each node reads, once the shard has an owner. */
function expectWritten(urls: readonly string[]): Promise<void> {
  return eventually(async () => {
    for (const url of urls) {
      const answer = await fetch(`${url}/v1/config/${ADDRESS}`);
      expect(await answer.json()).toMatchObject({ version: written, document: { n: written } });
    }
  });
}

it('refuses another number of nodes, and settings of a quorum that is put together by hand', async () => {
  expect(await start(['--nodes', '2']).exited).toBe(2);
  expect(launcher.output()).toContain('--nodes must be 1, 3 or 5, not "2"');
  expect(await start(['--nodes', '3'], { PAWL_PEERS: 'node-2=127.0.0.1:1' }).exited).toBe(1);
  expect(launcher.output()).toContain('PAWL_PEERS is not for several nodes');
  expect(await start(['--nodes', '3'], { PAWL_HTTP_PORT: '65534' }).exited).toBe(1);
  expect(launcher.output()).toContain('leaves no room for those of further nodes');
});

it('runs one node when nothing is said', async () => {
  start();
  await write(await urlOf(launcher));
  await end('SIGINT');
});

it('makes three nodes of the one, each of which takes writes, with what the one had', async () => {
  start(['--nodes', '3']);
  const urls = await nodeUrls();
  expect(urls).toHaveLength(3);
  expect(await processesOn(folder.path)).toEqual(['nats', ...NODES, 'postgres']);
  await expectWritten(urls);
  for (const url of urls) {
    /* Not while a shard that comes to it is still being loaded. */
    await eventually(async () => {
      const answer = await fetch(`${url}/readyz`);
      expect([answer.status, await answer.text()]).toEqual([200, expect.anything()]);
    });
    await write(url);
  }
});

it('goes on when a node is killed, says so, and starts it again', async () => {
  const [first = ''] = await nodeUrls();
  process.kill(await childPid(folder.path, 'node-3'), 'SIGKILL');
  await launcher.waitFor(/node-3 ended unexpectedly with SIGKILL; .* is started again/);
  await write(first);
  await launcher.waitFor(/node-3 is back at http:/);
  process.kill(await childPid(folder.path, 'node-1'), 'SIGKILL');
  await launcher.waitFor(/node-1 ended unexpectedly with SIGKILL/);
  const members = await runPawl(['cluster', 'members'], { PAWL_DATA_DIR: folder.path });
  expect(members, 'the CLI finds a node that lives').toMatchObject({ code: 0, err: '' });
  const status = await runPawl(['cluster', 'status'], { PAWL_DATA_DIR: folder.path });
  expect(status).toMatchObject({ code: 0, err: '' });
});

it('leaves no process after a kill -9 that the next start does not stop, nor after its own end', async () => {
  launcher.signal('SIGKILL');
  await launcher.exited;
  const left = await processesOn(folder.path);
  expect(left).toContain('node-2');
  expect(await start(['--nodes', '1']).exited).toBe(1);
  expect(launcher.output()).toContain('has 3 nodes');
  expect(await processesOn(folder.path), 'a start that is refused stops nothing').toEqual(left);
  start();
  const urls = await nodeUrls();
  expect(launcher.output()).toMatch(/Stopped what an earlier start left running: .*node-2/);
  expect(urls, 'as many as the folder has').toHaveLength(3);
  expect(await processesOn(folder.path)).toEqual(['nats', ...NODES, 'postgres']);
  await expectWritten(urls);
  await end('SIGINT');
  expect(launcher.output()).not.toContain('ended unexpectedly');
});

it('does not become a single node by itself', async () => {
  expect(await start(['--nodes', '1']).exited).toBe(1);
  expect(launcher.output()).toMatch(
    /has 3 nodes .* cluster remove node-3, then .* cluster remove node-2\), and start again/,
  );
});

it('goes on with those that are left when a node was removed while nobody looked', async () => {
  start();
  await nodeUrls();
  launcher.signal('SIGKILL');
  await launcher.exited;
  const removal = await runPawl(['cluster', 'remove', 'node-3'], { PAWL_DATA_DIR: folder.path });
  expect(removal).toMatchObject({ code: 0 });
  start();
  expect(await nodeUrls()).toHaveLength(2);
  expect(launcher.output()).toContain(
    "node-3 was removed from the quorum; its member's files are removed.",
  );
  const node = join(folder.path, 'nodes', 'node-3');
  for (const name of ['metadata', 'endpoints.json'])
    expect(existsSync(join(node, name))).toBe(false);
  expect(launcher.output()).not.toMatch(/failed|ended unexpectedly/);
});

it('becomes a single node also when it is stopped as soon as the other was removed', async () => {
  const removal = await runPawl(['cluster', 'remove', 'node-2'], { PAWL_DATA_DIR: folder.path });
  expect(removal).toMatchObject({ code: 0 });
  await end('SIGINT');
  start();
  const url = await urlOf(launcher);
  await expectWritten([url]);
  await write(url);
  const left = join(folder.path, 'nodes', 'node-2');
  for (const name of ['metadata', 'endpoints.json'])
    expect(existsSync(join(left, name))).toBe(false);
  await end('SIGINT');
  start(['--nodes', '1']);
  await expectWritten([await urlOf(launcher)]);
  await end('SIGINT');
});
