import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ownProcess, writeEndpoints } from './endpoints-file.js';
import { findStarting } from './find-starting.js';

const { pid } = process;
const etcd = 'http://127.0.0.1:9';
const node = { etcd, ...ownProcess('controlPlane') };
const boot = node.processStart?.boot ?? '';
const startedAt = node.processStart?.startedAt ?? '';
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pawl-starting-'));
});
afterEach(() => rm(folder, { recursive: true }));

describe('a node', () => {
  it('is starting while it has not written where it serves', async () => {
    expect(await findStarting(folder)).toBeUndefined();
    await writeEndpoints(join(folder, 'nodes', 'node-2'), node);
    expect(await findStarting(folder)).toEqual({ pid, hasMember: true });
    await writeEndpoints(join(folder, 'nodes', 'node-2'), { ...node, http: etcd });
    expect(await findStarting(folder)).toBeUndefined();
  });

  it('of an earlier build is known by its id alone, and one beside etcd has no member', async () => {
    await writeEndpoints(folder, { nats: 'nats://here', processes: { controlPlane: pid } });
    expect(await findStarting(folder)).toEqual({ pid, hasMember: false });
  });

  it.each([
    ['has ended', { processes: { controlPlane: 2 ** 30 } }],
    ['has ended, and another has its id', { processStart: { boot, startedAt: '1' } }],
    ['ended with the machine', { processStart: { boot: 'another', startedAt } }],
    ['is no control plane', ownProcess('quorum')],
  ])('is not starting where the process %s', async (_, change) => {
    await writeEndpoints(folder, { ...node, ...change });
    expect(await findStarting(folder)).toBeUndefined();
  });
});

describe('npm start', () => {
  const record = (launcher: object, phase = 'starting') =>
    writeFile(join(folder, 'launcher.json'), JSON.stringify({ phase, launcher }));

  it.each([`${boot}/${startedAt}`, undefined, 'Sun Nov 29 07:48:36 2026'])(
    'is starting, as it recorded itself: since %s',
    async (since) => {
      await record({ pid, startedAt: since });
      expect(await findStarting(folder)).toEqual({ pid, hasMember: false });
      await writeEndpoints(folder, node);
      expect(await findStarting(folder)).toEqual({ pid, hasMember: true });
    },
  );

  it.each([
    ['has ended', 2 ** 30, `${boot}/${startedAt}`],
    ['has ended, and another has its id', pid, `${boot}/1`],
    ['ended with the machine', pid, `another/${startedAt}`],
  ])('is not where its process %s', async (_, id, since) => {
    await record({ pid: id, startedAt: since });
    expect(await findStarting(folder)).toBeUndefined();
  });

  it('is not once it runs', async () => {
    await record({ pid, startedAt: `${boot}/${startedAt}` }, 'running');
    expect(await findStarting(folder)).toBeUndefined();
  });
});
