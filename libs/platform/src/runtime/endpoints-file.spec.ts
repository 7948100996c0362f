import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { readEndpoints, removeEndpoints, writeEndpoints } from './endpoints-file.js';

const endpoints = {
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

it.each(['', '{', 'null', '[]', '{"http":1}'])('takes %j as not there', async (content) => {
  await writeFile(join(folder, 'endpoints.json'), content);
  expect(await readEndpoints(folder)).toBeUndefined();
});

it('is removed only by the process that it names', async () => {
  await writeEndpoints(folder, endpoints);
  await removeEndpoints(folder, 43);
  expect(await readEndpoints(folder)).toEqual(endpoints);
  await removeEndpoints(folder, 42);
  expect(await readEndpoints(folder)).toBeUndefined();
});
