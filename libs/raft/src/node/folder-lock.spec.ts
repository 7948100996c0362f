import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FolderInUseError, lockFolder } from './index.js';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pawl-lock-'));
});

afterEach(() => rm(folder, { recursive: true, force: true }));

/** Puts down the lock file of a process that was killed before this resolves. */
async function leaveByDeadProcess(): Promise<void> {
  const lock = await lockFolder(folder);
  const [name = ''] = await readdir(folder);
  const holder = JSON.parse(await readFile(join(folder, name), 'utf8')) as object;
  await lock.release();
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
  const stat = await readFile(`/proc/${child.pid}/stat`, 'utf8');
  const startedAt = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  const file = join(folder, `lock-${child.pid}-abc`);
  await writeFile(file, JSON.stringify({ ...holder, pid: child.pid, startedAt }));
  await expect(lockFolder(folder)).rejects.toThrow(`in use by process ${child.pid}`);
  child.kill('SIGKILL');
  await once(child, 'exit');
}

describe('the lock of a data folder', () => {
  it('is held by one at a time and handed on at release', async () => {
    const lock = await lockFolder(folder);
    await expect(lockFolder(folder)).rejects.toBeInstanceOf(FolderInUseError);
    await expect(lockFolder(folder)).rejects.toThrow(`in use by process ${process.pid}`);
    await lock.release();
    const next = await lockFolder(folder);
    await next.release();
    expect(await readdir(folder)).toEqual([]);
  });

  it('goes to at most one of many that come at once', async () => {
    for (let round = 0; round < 5; round += 1) {
      const results = await Promise.allSettled(Array.from({ length: 6 }, () => lockFolder(folder)));
      const held = results.filter((result) => result.status === 'fulfilled');
      expect(held.length).toBeLessThanOrEqual(1);
      for (const result of held) await result.value.release();
    }
  });

  it('is taken over from a process that was killed', async () => {
    await leaveByDeadProcess();
    const lock = await lockFolder(folder);
    expect(await readdir(folder)).toHaveLength(1);
    await lock.release();
  });

  it.each([
    ['of another process under the same pid', { startedAt: '1' }],
    ['from before the last boot', { boot: 'another' }],
  ])('is taken over when its file is %s', async (_, change) => {
    const first = await lockFolder(folder);
    const [name = ''] = await readdir(folder);
    const holder = JSON.parse(await readFile(join(folder, name), 'utf8')) as object;
    await first.release();
    await writeFile(join(folder, 'lock-1-abc'), JSON.stringify({ ...holder, ...change }));
    await writeFile(join(folder, 'lock-2-abc'), '');
    const lock = await lockFolder(folder);
    await lock.release();
    expect(await readdir(folder)).toEqual([]);
  });
});
