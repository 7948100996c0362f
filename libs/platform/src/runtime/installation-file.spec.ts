import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { removeEndpoints, writeEndpoints } from './endpoints-file.js';
import { knownInstallation, rememberInstallation } from './installation-file.js';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pawl-installation-'));
});
afterEach(() => rm(folder, { recursive: true }));

it('knows the installation that was served last, also when nothing runs any more', async () => {
  const dataDir = join(folder, 'new');
  expect(await knownInstallation(dataDir)).toBeUndefined();
  await rememberInstallation(dataDir, 'main/one');
  await rememberInstallation(dataDir, 'main/two');
  await writeEndpoints(dataDir, { http: 'http://here', processes: { controlPlane: 42 } });
  await removeEndpoints(dataDir, 42);
  expect(await readdir(dataDir)).toEqual(['installation.json']);
  expect(await knownInstallation(dataDir)).toBe('main/two');
});

it('asks the nodes below where the folder itself does not know', async () => {
  await rememberInstallation(join(folder, 'nodes', 'node-2'), 'main/one');
  expect(await knownInstallation(folder)).toBe('main/one');
});

it.each(['', '{', 'null', '[]', '{"installation":1}'])('takes %j as not there', async (content) => {
  await writeFile(join(folder, 'installation.json'), content);
  expect(await knownInstallation(folder)).toBeUndefined();
});
