import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { address, canonicalize } from '@pawl/contracts';
import { sha256 } from '@pawl/contracts/node';
import { ManualTime } from '@pawl/kernel';
import { expect, vi } from 'vitest';
import type { LastKnownGood, Restored } from '../applier/index.js';
import { cacheFileName } from '../cache/cache-file.js';
import { FileCache } from '../cache/file-cache.js';
import type { FileCacheOptions } from '../cache/file-cache.js';
import type { ProcessEnd } from '../cache/process-ends.js';
import type { Trial } from '../cache/trial.js';
import type { PawlError } from '../errors.js';
import { ADDRESS, makeSnapshot } from './make-snapshot.js';

export const AT = address(ADDRESS);
const CONSUMER = 'consumer-1';

export function recordOf(version: number, cohort = ''): LastKnownGood {
  const document = { version, cohort };
  const text = canonicalize(document);
  const { installation, generation, hash, inputs } = makeSnapshot({ version });
  const head = { installation, generation, version, hash, inputs, cohort };
  const content = { hash: sha256(text), size: text.length, absent: false, text };
  return { address: AT.text, head, content };
}

/** The file of what is kept, or the one beside it. */
export function fileOf(cacheDir: string, suffix: '' | '.previous' | '.trial'): string {
  return join(cacheDir, CONSUMER, `${cacheFileName(AT, 'main', sha256)}${suffix}`);
}

type Wishes = Partial<Pick<FileCacheOptions, 'crashLoop' | 'build'>> & {
  /** Wall time at which it starts, milliseconds. */
  readonly startMs?: number;
};

/** A process over a cache folder, with a time of its own, that ends as the test says. */
export class ProcessLife {
  readonly time: ManualTime;
  readonly problems: PawlError[] = [];
  cache!: FileCache;
  #tell: ((end: ProcessEnd) => void) | null = null;

  private constructor(
    readonly cacheDir: string,
    startMs: number,
  ) {
    this.time = new ManualTime(startMs);
  }

  static async start(
    cacheDir: string,
    { startMs = 0, ...wishes }: Wishes = {},
  ): Promise<ProcessLife> {
    const life = new ProcessLife(cacheDir, startMs);
    const cache = await FileCache.open({
      ...{
        cacheDir,
        consumerId: CONSUMER,
        installation: 'main',
        sha256,
        timer: life.time,
        clock: life.time,
      },
      ...{ crashLoop: { settleMs: 60_000, windowMs: 10_000 }, build: undefined, ...wishes },
      ends: { watch: (listener) => life.#watch(listener) },
      onProblem: (problem) => life.problems.push(problem),
    });
    if (cache === undefined) throw new Error('the cache folder cannot be used');
    life.cache = cache;
    return life;
  }

  /** Whether anybody wants to know how the process ends. */
  get isWatched(): boolean {
    return this.#tell !== null;
  }

  get codes(): readonly string[] {
    return this.problems.map(({ code }) => code);
  }

  load(): Promise<Restored | undefined> {
    return this.cache.load(AT);
  }

  /** What it starts with runs, or so does a newer version that it finds. */
  async run(newer?: LastKnownGood): Promise<void> {
    const record = newer ?? (await this.load());
    if (record !== undefined) await this.cache.save(record);
  }

  /** Time passes until the trial on the disk is in that state. */
  async after(ms: number, state: Trial['state']): Promise<void> {
    this.time.advance(ms);
    await vi.waitFor(async () => {
      const text = await readFile(fileOf(this.cacheDir, '.trial'), 'utf8');
      expect(JSON.parse(text)).toMatchObject({ state });
    });
  }

  /** It is told to end by a signal, and has not ended yet. */
  signal(): void {
    this.#tell?.('told');
  }

  /** It ends by itself. */
  async exit(code: number): Promise<void> {
    this.#tell?.(code === 0 ? 'clean' : 'unclean');
    await this.die();
  }

  /** It is gone without a word. */
  die(): Promise<void> {
    return rm(join(this.cacheDir, CONSUMER, 'lock'), { force: true });
  }

  #watch(listener: (end: ProcessEnd) => void): () => void {
    this.#tell = listener;
    return () => (this.#tell = null);
  }
}
