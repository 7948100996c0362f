import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeFolder } from './make-folder.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pawl-folder-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe('makeFolder', () => {
  it('makes what is missing and names the topmost of it', async () => {
    expect(await makeFolder(join(folder, 'a/b/c'))).toBe(join(folder, 'a'));
    expect((await stat(join(folder, 'a/b/c'))).isDirectory()).toBe(true);
    expect(await makeFolder(join(folder, 'a/b/c'))).toBeUndefined();
  });

  it('works for several callers at once', async () => {
    const paths = ['x/1', 'x/2', 'x/1', 'x'].map((path) => join(folder, path));
    await Promise.all(paths.map((path) => makeFolder(path)));
    expect((await stat(join(folder, 'x/2'))).isDirectory()).toBe(true);
  });

  it('refuses a file in the way', async () => {
    await writeFile(join(folder, 'file'), '');
    await expect(makeFolder(join(folder, 'file'))).rejects.toThrow('EEXIST');
    await expect(makeFolder(join(folder, 'file/below'))).rejects.toThrow('ENOTDIR');
  });

  it.runIf(process.platform === 'linux')('returns where no folder can ever be', async () => {
    await expect(makeFolder('/proc/nothing/here')).rejects.toThrow('ENOENT');
  });
});
