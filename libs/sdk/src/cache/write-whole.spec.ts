import * as realFiles from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { parseAddress } from '@pawl/contracts';
import { sha256 } from '@pawl/contracts/node';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { recordOf } from '../testing/process-life.js';
import { cacheFileName } from './cache-file.js';
import { KeptFiles } from './kept-files.js';
import { writeWhole } from './write-whole.js';

/** What was done, in the order in which it ended. */
const done: string[] = [];

vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof realFiles>();
  return {
    ...real,
    open: async (path: string, ...rest: [string, number?]) =>
      recorded(basename(path), await real.open(path, ...rest)),
    rename: async (from: string, to: string) => {
      await real.rename(from, to);
      done.push(`rename ${basename(from)} ${basename(to)}`);
    },
  };
});

/** The handle, telling of its writes, flushes and end. */
function recorded(name: string, handle: FileHandle): FileHandle {
  for (const step of ['writeFile', 'sync', 'close'] as const) {
    const act = handle[step].bind(handle) as (...args: unknown[]) => Promise<void>;
    const telling = async (...args: unknown[]) => {
      await act(...args);
      done.push(`${step} ${name}`);
    };
    Object.defineProperty(handle, step, { value: telling });
  }
  return handle;
}

describe('writeWhole', () => {
  let folder: string;

  beforeEach(async () => {
    folder = await realFiles.mkdtemp(join(tmpdir(), 'pawl-whole-'));
    done.length = 0;
  });
  afterEach(() => realFiles.rm(folder, { recursive: true, force: true }));

  it('flushes the file before it gets its name, and the folder after', async () => {
    const path = join(folder, 'file');
    await writeWhole({ folder, path, temporaryPath: `${path}.tmp` }, 'text');
    expect(done).toEqual([
      'writeFile file.tmp',
      'sync file.tmp',
      'close file.tmp',
      'rename file.tmp file',
      `sync ${basename(folder)}`,
      `close ${basename(folder)}`,
    ]);
    expect(await realFiles.readFile(path, 'utf8')).toBe('text');
  });
});

describe('what was kept before', () => {
  it('is flushed before it gets its name, since what is kept next is flushed', async () => {
    const folder = await realFiles.mkdtemp(join(tmpdir(), 'pawl-whole-'));
    const parsed = parseAddress('acme/app');
    if (!parsed.ok) throw new Error(parsed.message);
    const { address } = parsed;
    const files = new KeptFiles({ folder, installation: 'main', sha256 });
    await files.writeCurrent(address, recordOf(1));
    done.length = 0;
    await files.keepPrevious(address);
    const name = `${cacheFileName(address, 'main', sha256)}.previous`;
    expect(done).toEqual([`sync ${name}.tmp`, `close ${name}.tmp`, `rename ${name}.tmp ${name}`]);
    await realFiles.rm(folder, { recursive: true, force: true });
  });
});
