import { cpSync } from 'node:fs';
import type * as realFiles from 'node:fs/promises';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ProcessLife, recordOf } from '../testing/process-life.js';

/** Called before and after every change of a file that can be seen under its name. */
const disk = vi.hoisted(() => ({ change: (_when: 'before' | 'after'): void => undefined }));

vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof realFiles>();
  const watched =
    <A extends unknown[]>(act: (...args: A) => Promise<void>) =>
    async (...args: A): Promise<void> => {
      disk.change('before');
      await act(...args);
      disk.change('after');
    };
  return {
    ...real,
    rename: watched(real.rename),
    copyFile: watched(real.copyFile),
    writeFile: watched(real.writeFile as (...args: unknown[]) => Promise<void>),
  };
});

let root: string;
let cacheDir: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'pawl-images-'));
  cacheDir = join(root, 'cache');
});
afterEach(async () => {
  disk.change = () => undefined;
  await rm(root, { recursive: true, force: true });
});

/** A version settles; a newer one is run by two processes that die, the third starts. */
async function history(): Promise<void> {
  const first = await ProcessLife.start(cacheDir);
  await first.run(recordOf(1));
  await first.after(60_000, 'settled');
  await first.run(recordOf(2));
  await first.die();
  for (let times = 0; times < 2; times += 1) {
    const life = await ProcessLife.start(cacheDir);
    await life.run();
    await life.die();
  }
}

/** What the next process on a folder starts from; it runs that, and dies. */
async function next(folder: string): Promise<readonly [number, number | undefined]> {
  const life = await ProcessLife.start(folder);
  const restored = await life.load();
  await life.run(restored ?? recordOf(1));
  await life.die();
  for (const code of life.codes) expect(code).toBe('crash-loop');
  return [restored?.head.version ?? 0, restored?.refused?.of.version];
}

describe('a kill between any two changes of files', () => {
  it('loses nothing that is kept, accuses nobody early, and is counted at most once', async () => {
    const images: string[] = [];
    disk.change = () => {
      const image = join(root, `image-${images.length}`);
      cpSync(join(cacheDir, 'consumer-1'), join(image, 'consumer-1'), { recursive: true });
      images.push(image);
    };
    await history();
    disk.change = () => undefined;
    expect(images.length).toBeGreaterThan(15);

    const seen = new Set<string>();
    let highest = 0;
    for (const image of images) {
      await rm(join(image, 'consumer-1', 'lock'), { force: true });
      const starts: (readonly [number, number | undefined])[] = [];
      while (starts.length < 4) starts.push(await next(image));
      const [[version, refused]] = starts as [readonly [number, number | undefined]];
      // What was kept stays; a newer one that is refused is so at its third start at the soonest.
      expect(Math.max(version, refused ?? 0)).toBeGreaterThanOrEqual(highest);
      highest = Math.max(highest, version);
      seen.add(
        starts.map(([from, not]) => (not === undefined ? from : `${from}!${not}`)).join(' '),
      );
    }
    // Before anything is kept, with 1 kept, with 2 about to run or running, and with it refused.
    expect([...seen]).toEqual(['0 1 1 1', '1 1 1 1', '2 1!2 1!2 1!2', '1!2 1!2 1!2 1!2']);
  });
});

describe('a disk that fails', () => {
  it('at any one change: the newest is kept all the same, or the next one is', async () => {
    let failures = 0;
    for (let failing = 1; ; failing += 1) {
      await rm(cacheDir, { recursive: true, force: true });
      const life = await ProcessLife.start(cacheDir);
      let changes = 0;
      disk.change = () => {
        changes += 1;
        if (changes === failing) throw Object.assign(new Error('no space'), { code: 'ENOSPC' });
      };
      for (const version of [1, 2]) {
        await life.run(recordOf(version)).catch((thrown: unknown) => {
          expect(thrown).toMatchObject({ code: 'cache-write-failed', message: 'no space' });
          failures += 1;
        });
        expect(life.isWatched).toBe(true);
      }
      disk.change = () => undefined;
      await life.run(recordOf(3));
      expect((await life.load())?.head.version).toBe(3);
      await life.cache.close();
      if (changes < failing) break;
    }
    // Before and after: of both versions three changes each, of the second two that keep the first.
    expect(failures).toBe(16);
  });
});
