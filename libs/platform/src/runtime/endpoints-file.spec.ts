import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { isAlive, ownIdentity } from '@pawl/contracts/node';
import {
  listEndpoints,
  ownProcess,
  readEndpoints,
  removeEndpoints,
  writeEndpoints,
  writerOf,
} from './endpoints-file.js';

const endpoints = {
  installation: 'main/one',
  http: 'http://127.0.0.1:7400',
  postgres: 'postgres://127.0.0.1:7432/pawl',
  nats: 'nats://127.0.0.1:7422',
  processes: { controlPlane: 42 },
};
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pawl-endpoints-'));
});
afterEach(() => rm(folder, { recursive: true }));

it('reads back what was written and leaves nothing else behind', async () => {
  const dataDir = join(folder, 'new', 'data');
  await writeEndpoints(dataDir, endpoints);
  expect(await readEndpoints(dataDir)).toEqual(endpoints);
  expect(await readdir(dataDir)).toEqual(['endpoints.json']);
});

it.each(['', '{', 'null', '[]', '{"http":1}', '{"http":"http://x","installation":1}'])(
  'takes %j as not there',
  async (content) => {
    await writeFile(join(folder, 'endpoints.json'), content);
    expect(await readEndpoints(folder)).toBeUndefined();
  },
);

it.each(['controlPlane', 'quorum'] as const)(
  'names the process that wrote it: %s',
  async (part) => {
    await writeEndpoints(folder, { etcd: endpoints.http, ...ownProcess(part) });
    const read = await readEndpoints(folder);
    expect(read?.processes).toEqual({ [part]: process.pid });
    const writer = read && writerOf(read);
    expect(writer).toEqual(ownIdentity());
    expect(writer && isAlive(writer)).toBe(true);
  },
);

it('names it by its id alone where an earlier build wrote it, and none where it says none', () => {
  expect(writerOf(endpoints)).toEqual({ pid: 42 });
  expect(writerOf({ processes: {} })).toBeUndefined();
});

it('is removed only by the process that it names', async () => {
  await writeEndpoints(folder, endpoints);
  await removeEndpoints(folder, 43);
  expect(await readEndpoints(folder)).toEqual(endpoints);
  await removeEndpoints(folder, 42);
  expect(await readEndpoints(folder)).toBeUndefined();
});

it('lists those of a data folder and of the nodes below it, of whichever there is one', async () => {
  expect(await listEndpoints(folder)).toEqual([]);
  const below = (id: string): string => join(folder, 'nodes', id);
  await writeEndpoints(below('node-3'), { http: 'http://third', processes: {} });
  await writeEndpoints(below('node-2'), { http: 'http://second', processes: {} });
  await mkdir(below('node-4'));
  const named = async (): Promise<unknown> => (await listEndpoints(folder)).map(({ http }) => http);
  expect(await named()).toEqual(['http://second', 'http://third']);
  await writeEndpoints(folder, endpoints);
  expect(await named()).toEqual([endpoints.http, 'http://second', 'http://third']);
});
