import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, open } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { endWithUs } from '../../../support/leash.js';

/** One thing that a consumer wrote down, in its order. */
export interface ConsumerRecord {
  readonly kind: 'applied' | 'rejected' | 'absent';
  readonly consumer: string;
  readonly address: string;
  /** Of the last-known-good file; null when that holds another version, as after a late write. */
  readonly generation: number | null;
  readonly version: number;
  readonly hash: string | null;
  /** The call that wrote the definition which runs. */
  readonly writtenBy: string | null;
  /** What the SDK said of it. */
  readonly lowered: boolean;
  readonly reason?: string;
}

/** What the SDK survived: for whoever looks into the files. */
interface ConsumerProblem {
  readonly kind: 'problem';
}

export interface FleetOptions {
  readonly natsUrl: string;
  readonly scopes: readonly string[];
  readonly consumers: number;
  readonly processes: number;
  readonly folder: string;
}

const PROCESS = fileURLToPath(new URL('./fleet-process.mjs', import.meta.url));
const OPENED_WITHIN_MS = 120_000;

/** Consumers of the SDK's build in a few processes; consumer n follows scope n modulo the scopes. */
export class Fleet {
  readonly #members: { readonly child: ChildProcess; readonly file: string; read: number }[] = [];
  readonly #records: ConsumerRecord[] = [];

  /** Resolves when every consumer runs something. */
  static async start(options: FleetOptions): Promise<Fleet> {
    const { natsUrl: servers, scopes, consumers, processes, folder } = options;
    const fleet = new Fleet();
    await mkdir(folder, { recursive: true });
    const each = Math.ceil(consumers / processes);
    const opened = Array.from({ length: processes }, (_, at) => {
      const file = join(folder, `consumers-${at + 1}.jsonl`);
      const cacheDir = join(folder, 'cache');
      const first = at * each;
      const count = Math.min(each, consumers - first);
      const wish = { servers, scopes, first, count, cacheDir, file };
      // Not with the conditions under which this process finds sources: consumers are from the build.
      const child = fork(PROCESS, [JSON.stringify(wish)], { detached: true, execArgv: [] });
      if (child.pid !== undefined) endWithUs(child.pid);
      fleet.#members.push({ child, file, read: 0 });
      return opens(child);
    });
    try {
      await Promise.all(opened);
      return fleet;
    } catch (error) {
      await fleet.stop();
      throw error;
    }
  }

  get files(): readonly string[] {
    return this.#members.map(({ file }) => file);
  }

  /** All that was written down until now; of each consumer in its order. */
  async records(): Promise<readonly ConsumerRecord[]> {
    for (const member of this.#members) {
      const { lines, read } = await readLines(member.file, member.read);
      member.read = read;
      const records = lines.map((line) => JSON.parse(line) as ConsumerRecord | ConsumerProblem);
      this.#records.push(...records.filter((record) => record.kind !== 'problem'));
    }
    return this.#records;
  }

  /** Processes that have ended by themselves. */
  get dead(): number {
    return this.#members.filter(({ child }) => child.exitCode !== null || child.signalCode !== null)
      .length;
  }

  async stop(): Promise<void> {
    await Promise.all(
      this.#members.map(async ({ child }) => {
        if (child.exitCode !== null || child.signalCode !== null) return;
        const gone = once(child, 'exit');
        child.kill('SIGTERM');
        await gone;
      }),
    );
  }
}

/** Until all its consumers run something; rejects when it ends before. */
async function opens(child: ChildProcess): Promise<void> {
  const signal = AbortSignal.timeout(OPENED_WITHIN_MS);
  const ended = once(child, 'exit', { signal }).then(([code]) => {
    throw new Error(`a process of consumers ended with ${code}`);
  });
  await Promise.race([once(child, 'message', { signal }), ended]);
}

/** The whole lines of a file from a position on, and where they end. */
async function readLines(path: string, from: number): Promise<{ lines: string[]; read: number }> {
  const file = await open(path, 'a+');
  try {
    const { size } = await file.stat();
    const buffer = Buffer.alloc(size - from);
    await file.read(buffer, 0, buffer.length, from);
    const end = buffer.lastIndexOf('\n') + 1;
    const lines = buffer.toString('utf8', 0, end).split('\n').filter(Boolean);
    return { lines, read: from + end };
  } finally {
    await file.close();
  }
}
