import { seededRng } from '@pawl/kernel';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { prefixRange } from '../state/index.js';
import { systemTime } from '../testing/system-time.js';
import { bytesToText, textToBytes } from '../text.js';
import { openMetadata } from './open-metadata.js';

const ROUNDS = 5;
/** Processes start slowly on a busy machine. */
const SLOW_MS = 240_000;
const conditions = ['pawl-src', 'node', 'import', 'default'];
let folder: string;

/** The writer runs as a process of its own, from the sources as they are. */
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pawl-kill-'));
  await build({
    configFile: false,
    logLevel: 'error',
    resolve: { conditions },
    ssr: { noExternal: true, resolve: { conditions } },
    build: {
      ssr: fileURLToPath(new URL('../../testdata/write-until-killed.mjs', import.meta.url)),
      outDir: folder,
      emptyOutDir: false,
      rolldownOptions: { output: { entryFileNames: 'writer.mjs' } },
    },
  });
}, SLOW_MS);

afterAll(() => rm(folder, { recursive: true, force: true }));

/** Numbers that the writer saw acknowledged before it was killed, after about `enough` of them. */
async function writeUntilKilled(dataDir: string, first: number, enough: number): Promise<number[]> {
  const child = spawn(process.execPath, [join(folder, 'writer.mjs'), dataDir, `${first}`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  const acked: number[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    acked.push(Number(line));
    if (acked.length === enough) child.kill('SIGKILL');
  }
  expect(await exited).toEqual([null, 'SIGKILL']);
  return acked;
}

describe('a process killed while it writes', () => {
  it(
    'leaves everything that it saw acknowledged, round after round',
    async () => {
      const rng = seededRng(2);
      const dataDir = join(folder, 'data');
      const acked = new Set<number>();
      let first = 0;
      for (let round = 0; round < ROUNDS; round += 1) {
        const numbers = await writeUntilKilled(dataDir, first, 50 + rng.below(400));
        for (const number of numbers) acked.add(number);
        const store = await openMetadata({
          dataDir,
          nodeId: 'n1',
          clock: systemTime,
          timer: systemTime,
        });
        const content = await store.range(prefixRange(textToBytes('key-')));
        await store.close();
        const found = new Map(
          (content.ok ? content.kvs : []).map(({ key, value }) => [
            Number(bytesToText(key).slice(4)),
            value.length,
          ]),
        );
        const missing = [...acked].filter((number) => found.get(number) !== number % 300);
        expect(missing).toEqual([]);
        first = Math.max(...found.keys()) + 1;
      }
      expect(acked.size).toBeGreaterThan(50 * ROUNDS);
    },
    SLOW_MS,
  );
});
