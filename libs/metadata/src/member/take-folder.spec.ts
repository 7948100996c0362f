import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SimulatedFolder } from '@pawl/raft/testing';
import { expect, it } from 'vitest';
import { identifyFolder, takeFolder } from './take-folder.js';

it('keeps the id that it gave a folder through a loss of power', async () => {
  const folder = SimulatedFolder.empty();
  const id = await identifyFolder(folder);
  const operations = folder.journal.length;
  const after = folder.crashed(operations, { kind: 'lost' });
  expect(await identifyFolder(after)).toBe(id);
});

it('gives an id wherever a loss of power found it before', async () => {
  const folder = SimulatedFolder.empty();
  await identifyFolder(folder);
  for (let done = 0; done < folder.journal.length; done += 1) {
    for (const kind of ['kept', 'lost'] as const) {
      const after = folder.crashed(done, { kind });
      const id = await identifyFolder(after);
      expect(id).toMatch(/^[0-9a-f-]{36}$/);
      expect(await identifyFolder(after)).toBe(id);
    }
  }
});

it('takes a folder of the disk, by the same id each time', async () => {
  const path = await mkdtemp(join(tmpdir(), 'pawl-take-'));
  try {
    const first = await takeFolder(path);
    await expect(takeFolder(path)).rejects.toMatchObject({ name: 'FolderInUseError' });
    await first.release();
    const again = await takeFolder(path);
    expect(again.id).toBe(first.id);
    await again.release();
    expect(await readdir(path)).toEqual(['folder-id']);
  } finally {
    await rm(path, { recursive: true });
  }
});
