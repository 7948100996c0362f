import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { fileOf, ProcessLife, recordOf } from '../testing/process-life.js';
import { KeptFiles } from './kept-files.js';
import { TrialFile } from './trial-file.js';

let cacheDir: string;
beforeEach(async () => {
  cacheDir = await mkdtemp(join(tmpdir(), 'pawl-crash-'));
});
afterEach(() => rm(cacheDir, { recursive: true, force: true }));

const start = (wishes?: Parameters<typeof ProcessLife.start>[1]) =>
  ProcessLife.start(cacheDir, wishes);

/** A process runs these one after the other, each until it has settled, and then closes. */
async function settle(...versions: number[]): Promise<void> {
  const life = await start();
  for (const version of versions) {
    await life.run(recordOf(version));
    await life.after(60_000, 'settled');
  }
  await life.cache.close();
}

/** A process runs a version, and ends as it is told. */
async function live(version: number, end: (life: ProcessLife) => Promise<void>): Promise<void> {
  const life = await start();
  await life.load();
  await life.run(recordOf(version));
  await end(life);
}

const die = (life: ProcessLife) => life.die();
const exit1 = (life: ProcessLife) => life.exit(1);

/** What the next process starts from: its version, and the one that it refuses. */
async function next(wishes?: Parameters<typeof ProcessLife.start>[1]): Promise<unknown[]> {
  const life = await start(wishes);
  const restored = await life.load();
  await life.die();
  return [restored?.head.version, restored?.refused?.of.version];
}

const REASON = 'crash-loop: the process ended uncleanly twice within 60 s of applying version 2';

describe('a process that dies twice on a version', () => {
  it('starts from the one before, and refuses it', async () => {
    await settle(1);
    await live(2, die);
    expect(await next()).toEqual([2, undefined]);
    await live(2, die);
    const life = await start();
    const restored = await life.load();
    expect(restored).toMatchObject({
      ...recordOf(1),
      refused: { of: { generation: 1, version: 2, hash: recordOf(2).head.hash }, reason: REASON },
    });
    expect(life.problems).toEqual([]);
  });

  it('refuses it as well in every later process, until a newer one is taken', async () => {
    await settle(1);
    await live(2, die);
    await live(2, exit1);
    for (let again = 0; again < 3; again += 1) {
      const life = await start();
      await life.run();
      expect(life.isWatched).toBe(false);
      await life.exit(1);
      expect(await next()).toEqual([1, 2]);
    }
    await live(3, die);
    expect(await next()).toEqual([3, undefined]);
    await live(3, die);
    expect(await next()).toEqual([1, 3]);
  });

  it('gives it another chance once an operator has removed its trial', async () => {
    await settle(1);
    await live(2, die);
    await live(2, die);
    const fallen = await start();
    await fallen.run();
    await rm(fileOf(cacheDir, '.trial'));
    await fallen.cache.close();
    // What was gone back to is what is kept, and nothing is refused any more.
    expect(await next()).toEqual([1, undefined]);
    await live(2, die);
    expect(await next()).toEqual([2, undefined]);
    await live(2, die);
    expect(await next()).toEqual([1, 2]);
  });

  it('gives it another chance with another build', async () => {
    const a = { build: 'a' };
    await settle(1);
    for (let times = 0; times < 2; times += 1) {
      const life = await start(a);
      await life.load();
      await life.run(recordOf(2));
      await life.die();
    }
    expect(await next(a)).toEqual([1, 2]);
    expect(await next({ build: 'b' })).toEqual([2, undefined]);
    const fallen = await start(a);
    await fallen.run();
    await fallen.die();
    expect(await next(a)).toEqual([1, 2]);
    expect(await next({ build: 'b' })).toEqual([1, undefined]);
  });

  it('goes back to another cohort of the same version, which is not on trial then', async () => {
    const life = await start();
    await life.run(recordOf(2));
    await life.after(60_000, 'settled');
    await life.run(recordOf(2, 'r1'));
    await life.die();
    const second = await start();
    await second.run();
    await second.die();
    for (let again = 0; again < 2; again += 1) {
      const third = await start();
      const restored = await third.load();
      expect(restored).toMatchObject({ head: { version: 2, cohort: '' } });
      expect(restored?.refused?.of).toMatchObject({ version: 2, cohort: 'r1' });
      await third.run(restored);
      await third.die();
    }
  });

  it('goes on with it, and says so, when nothing is kept to go back to', async () => {
    await live(1, die);
    await live(1, die);
    const life = await start();
    expect(await life.load()).toEqual(recordOf(1));
    expect(life.codes).toEqual(['crash-loop']);
    expect(life.problems[0]?.message).toContain('acme/prod/checkout: crash-loop: the process');
    await life.load();
    await writeFile(fileOf(cacheDir, '.previous'), 'damaged');
    await life.die();
    expect(await next()).toEqual([1, undefined]);
  });

  it('goes back to the newest that had settled, or to what there is', async () => {
    await settle(1, 2);
    await live(3, (life) => life.cache.close());
    await live(4, die);
    await live(4, die);
    expect(await next()).toEqual([2, 4]);
    await rm(cacheDir, { recursive: true });
    await live(1, (life) => life.cache.close());
    await live(2, die);
    await live(2, die);
    expect(await next()).toEqual([1, 2]);
  });

  it.each([
    ['goes back to what three', 3, [2, 3]],
    ['does not go back to what two', 2, [1, 3]],
  ])('%s too short-lived for it to settle have ended well on', async (_, often, expected) => {
    await settle(1);
    for (let times = 0; times < 2; times += 1) await live(2, (life) => life.exit(0));
    await live(2, exit1);
    for (let times = 0; times < often; times += 1) await live(2, (life) => life.cache.close());
    await live(2, async (life) => {
      life.signal();
      await life.cache.close();
    });
    await live(3, die);
    await live(3, die);
    expect(await next()).toEqual(expected);
  });

  /** A version that reads as another does. */
  const sameAs = (version: number, of: number) => ({
    ...recordOf(version),
    content: recordOf(of).content,
  });

  it('counts on where another version reads the same', async () => {
    await settle(1);
    await live(2, die);
    const second = await start();
    await second.load();
    await second.run(sameAs(3, 2));
    await second.die();
    const third = await start();
    expect(await third.load()).toMatchObject({
      head: { version: 1 },
      refused: { of: { version: 3 }, content: recordOf(2).content.hash },
    });
    await third.die();
  });

  it.each([
    ['what has settled is run', 2, [1, 2], 1],
    ['what had settled comes back', 1, [1], 2],
  ])('is not watched while %s as another version', async (_, of, settled, others) => {
    await settle(...settled);
    for (let times = 0; times < others - 1; times += 1) await live(2, die);
    for (let times = 0; times < 2; times += 1) {
      const life = await start();
      await life.load();
      await life.run(sameAs(3, of));
      expect(life.isWatched).toBe(false);
      await life.die();
    }
    expect(await next()).toEqual([3, undefined]);
    await live(4, die);
    await live(4, die);
    expect(await next()).toEqual([3, 4]);
  });

  it('goes back past a version that reads the same', async () => {
    await settle(1);
    const life = await start();
    await life.load();
    await life.run(recordOf(2));
    await life.run(sameAs(3, 2));
    await life.die();
    const second = await start();
    await second.run();
    await second.die();
    expect(await next()).toEqual([1, 3]);
  });

  it('counts each version for itself', async () => {
    await settle(1);
    await live(2, die);
    await live(3, die);
    expect(await next()).toEqual([3, undefined]);
    await live(3, die);
    expect(await next()).toEqual([1, 3]);
  });

  it('runs it again and again when that is wished', async () => {
    await settle(1);
    await live(2, die);
    await live(2, die);
    expect(await next({ crashLoop: false })).toEqual([2, undefined]);
    const life = await start({ crashLoop: false });
    await life.run(recordOf(3));
    expect(life.isWatched).toBe(false);
    await life.die();
    expect(await next()).toEqual([3, undefined]);
  });
});

describe('an end', () => {
  const ENDS: readonly [string, (life: ProcessLife) => Promise<void>, boolean][] = [
    ['without a mark, soon', die, true],
    ['by an exit code, soon', exit1, true],
    [
      'by an exit code, later',
      (life) => life.after(59_999, 'closed').then(() => life.exit(1)),
      true,
    ],
    ['without a mark, later', (life) => life.after(10_000, 'closed').then(() => life.die()), false],
    ['after it settled', (life) => life.after(60_000, 'settled').then(() => life.exit(1)), false],
    ['by close', (life) => life.cache.close(), false],
    ['by exit code 0', (life) => life.exit(0), false],
    [
      'by a signal, whatever follows',
      async (life) => {
        life.signal();
        await life.exit(1);
      },
      false,
    ],
  ];

  it.each(ENDS)('%s', async (_, end, counts) => {
    await settle(1);
    for (let times = 0; times < 2; times += 1) {
      const life = await start();
      await life.load();
      await life.run(recordOf(2));
      await end(life);
      await life.die();
    }
    expect(await next()).toEqual(counts ? [1, 2] : [2, undefined]);
  });

  it('does not count once the process may run what replaces it, however late the disk is', async () => {
    await settle(1);
    for (let times = 0; times < 2; times += 1) {
      await live(2, async (life) => {
        const late = vi.spyOn(KeptFiles.prototype, 'hasPrevious');
        late.mockReturnValue(new Promise(() => undefined));
        void life.cache.save(recordOf(3));
        await vi.waitFor(() => expect(late).toHaveBeenCalled());
        await life.exit(1);
        late.mockRestore();
      });
    }
    expect(await next()).toEqual([2, undefined]);
  });

  it('after a signal does not count for what came until then either', async () => {
    await settle(1);
    await live(2, async (life) => {
      life.signal();
      await life.run(recordOf(3));
      await life.die();
    });
    await live(3, die);
    expect(await next()).toEqual([3, undefined]);
  });

  it('does not count in later processes once one has settled', async () => {
    await settle(1, 2);
    await live(2, die);
    await live(2, exit1);
    expect(await next()).toEqual([2, undefined]);
  });

  it.each([
    ['within the hour', 3_600_000, [1, 2]],
    ['later', 3_600_001, [2, undefined]],
    ['by a clock that was put back', -86_400_000, [1, 2]],
  ])('counts with another %s', async (_, laterMs, expected) => {
    await settle(1);
    for (const end of [die, exit1]) {
      const life = await start({ startMs: end === die ? 0 : laterMs });
      await life.run((await life.load())?.head.version === 2 ? undefined : recordOf(2));
      await end(life);
    }
    expect(await next({ startMs: laterMs })).toEqual(expected);
  });

  it('is counted once, however often the file is asked for', async () => {
    await settle(1);
    const life = await start();
    await life.load();
    await life.run(recordOf(2));
    await life.load();
    await life.after(10_000, 'closed');
    await life.die();
    await live(2, die);
    expect(await next()).toEqual([2, undefined]);
  });

  it('is not held against a version for longer because who runs it is another one', async () => {
    await settle(1);
    for (let times = 0; times < 2; times += 1) {
      const life = await start();
      await life.load();
      await life.run(recordOf(2));
      await life.after(10_000, 'closed');
      const { head, ...rest } = recordOf(2);
      const identity = { workload: 'checkout', slot: times, labels: {} };
      await life.run({ ...rest, head: { ...head, identity } });
      await life.die();
    }
    expect(await next()).toEqual([2, undefined]);
  });

  it('before the version was kept, and so before it ran, does not count', async () => {
    await settle(1);
    const before = await readFile(fileOf(cacheDir, ''));
    await live(2, die);
    await writeFile(fileOf(cacheDir, ''), before);
    await live(2, die);
    expect(await next()).toEqual([2, undefined]);
  });

  it('is only waited for while something is on trial', async () => {
    const life = await start();
    expect(life.isWatched).toBe(false);
    await life.run(recordOf(1));
    expect(life.isWatched).toBe(true);
    await life.after(60_000, 'settled');
    expect(life.isWatched).toBe(false);
    await life.run(recordOf(2));
    expect(life.isWatched).toBe(true);
    await life.cache.close();
    expect(life.isWatched).toBe(false);
  });

  it('of a process whose folder was taken over is not noted', async () => {
    await settle(1);
    const life = await start();
    await life.run(recordOf(2));
    const before = await readFile(fileOf(cacheDir, '.trial'), 'utf8');
    await life.die();
    const thief = await start();
    await life.exit(1);
    life.time.advance(60_000);
    expect(await readFile(fileOf(cacheDir, '.trial'), 'utf8')).toBe(before);
    await thief.die();
  });

  it('is not assumed of the process that has the folder', async () => {
    await settle(1);
    await live(2, die);
    const life = await start();
    await life.run();
    const reader = await start();
    expect(reader.codes).toEqual(['cache-locked']);
    expect((await reader.load())?.head.version).toBe(2);
    await reader.cache.close();
    await life.die();
    expect(await next()).toEqual([1, 2]);
  });
});

describe('a trial that cannot be written', () => {
  it('holds up neither the record nor a newer one that waits for it', async () => {
    const replace = vi.spyOn(TrialFile.prototype, 'replace');
    replace.mockRejectedValueOnce(new Error('the disk is full'));
    const life = await start();
    await Promise.all([life.run(recordOf(1)), life.run(recordOf(2))]);
    expect((await life.load())?.head.version).toBe(2);
    replace.mockRejectedValueOnce(new Error('the disk is full'));
    const failing = life.run(recordOf(3));
    await expect(failing).rejects.toMatchObject({ code: 'cache-write-failed' });
    expect((await life.load())?.head.version).toBe(3);
    replace.mockRestore();
    await life.die();
  });
});

describe('a trial that cannot be read', () => {
  it.each(['', 'half', '{}', '{"of":{}}', '[]'])(
    'holds nothing against anybody: %j',
    async (text) => {
      await settle(1);
      await live(2, die);
      await live(2, die);
      await writeFile(fileOf(cacheDir, '.trial'), text);
      expect(await next()).toEqual([2, undefined]);
    },
  );
});
