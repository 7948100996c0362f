import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { address, canonicalize } from '@pawl/contracts';
import { sha256 } from '@pawl/contracts/node';
import { ManualTime } from '@pawl/kernel';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { LastKnownGood } from '../applier/index.js';
import type { PawlError } from '../errors.js';
import { ADDRESS, makeSnapshot } from '../testing/make-snapshot.js';
import { cacheFileName, decodeCacheFile, encodeCacheFile } from './cache-file.js';
import { FileCache } from './file-cache.js';

const at = address(ADDRESS);

function recordOf(version: number, filler = ''): LastKnownGood {
  const document = { version, filler, umlaut: 'ä😀' };
  const text = canonicalize(document);
  const { installation, generation, hash, inputs } = makeSnapshot({ version, document });
  const content = { hash: sha256(text), size: Buffer.byteLength(text), absent: false, text };
  return { address: at.text, head: { installation, generation, version, hash, inputs }, content };
}

describe('cache file', () => {
  it('reads back what was written, and nothing that was cut or changed anywhere', () => {
    const record = recordOf(1);
    const text = encodeCacheFile(record, sha256);
    expect(decodeCacheFile(text, at.text, sha256)).toEqual({ ok: true, record });
    for (let length = 0; length < text.length; length += 1) {
      expect(decodeCacheFile(text.slice(0, length), at.text, sha256).ok).toBe(false);
      const flipped = String.fromCharCode(text.charCodeAt(length) ^ 1);
      const damaged = text.slice(0, length) + flipped + text.slice(length + 1);
      expect(decodeCacheFile(damaged, at.text, sha256).ok).toBe(false);
    }
  });

  it('keeps who the consumer was and as which cohort it ran', () => {
    const record = recordOf(1);
    const identity = { workload: 'checkout', slot: 3, labels: { region: 'eu' } };
    for (const slot of [3, null]) {
      const head = { ...record.head, cohort: 'r1+r2', identity: { ...identity, slot } };
      const text = encodeCacheFile({ ...record, head }, sha256);
      expect(decodeCacheFile(text, at.text, sha256)).toEqual({
        ...{ ok: true, record: { ...record, head } },
      });
    }
    const odd = { ...record.head, identity: { ...identity, slot: -1 } };
    const text = encodeCacheFile({ ...record, head: odd }, sha256);
    expect(decodeCacheFile(text, at.text, sha256).ok).toBe(false);
  });

  it('refuses an intact file that is not of this address or not a record', () => {
    const text = encodeCacheFile(recordOf(1), sha256);
    expect(decodeCacheFile(text, address('acme/prod').text, sha256).ok).toBe(false);
    const body = '{"address":"acme/prod/checkout"}\n{}';
    const forged = `pawl-last-known-good 1 ${sha256(body)}\n${body}`;
    expect(decodeCacheFile(forged, at.text, sha256).ok).toBe(false);
  });

  it('names files for any address, apart for each installation', () => {
    const longest = address(`${Array(8).fill('a'.repeat(63)).join('/')}:${'b'.repeat(63)}`);
    expect(cacheFileName(longest, 'main', sha256).length).toBeLessThan(200);
    expect(cacheFileName(at, 'main', sha256)).not.toBe(cacheFileName(at, 'other', sha256));
    const twins = [address('a/b-c'), address('a-b/c'), address('a/b:c'), address('a/b/c')];
    expect(new Set(twins.map((twin) => cacheFileName(twin, 'main', sha256))).size).toBe(4);
  });
});

describe('FileCache', () => {
  let cacheDir: string;
  let problems: PawlError[];
  const opened: FileCache[] = [];
  const folder = () => join(cacheDir, 'consumer-1');
  const open = async () => {
    const cache = await FileCache.open({
      cacheDir,
      consumerId: 'consumer-1',
      installation: 'main',
      sha256,
      timer: new ManualTime(),
      clock: new ManualTime(),
      crashLoop: false,
      build: undefined,
      ends: { watch: () => () => undefined },
      onProblem: (problem) => problems.push(problem),
    });
    if (cache !== undefined) opened.push(cache);
    return cache;
  };
  const codes = () => problems.map(({ code }) => code);

  beforeEach(async () => {
    cacheDir = await mkdtemp(join(tmpdir(), 'pawl-cache-'));
    problems = [];
  });
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((cache) => cache.close()));
    await rm(cacheDir, { recursive: true, force: true });
  });

  it('keeps the newest record over a restart', async () => {
    const first = await open();
    expect(await first?.load(at)).toBeUndefined();
    await Promise.all([1, 2, 3].map((version) => first!.save(recordOf(version))));
    await first?.close();
    const second = await open();
    expect(await second?.load(at)).toEqual(recordOf(3));
    expect(problems).toEqual([]);
    const files = await readdir(folder());
    expect(files.sort()).toEqual([cacheFileName(at, 'main', sha256), 'lock']);
  });

  it('leaves the old record or the new one, whatever a crash cut short', async () => {
    const cache = await open();
    await cache?.save(recordOf(1));
    const path = join(folder(), cacheFileName(at, 'main', sha256));
    const next = encodeCacheFile(recordOf(2), sha256);
    for (let length = 0; length <= next.length; length += 7) {
      await writeFile(`${path}.tmp`, next.slice(0, length));
      expect(await cache?.load(at)).toEqual(recordOf(1));
    }
    const { ino } = await stat(path);
    await cache?.save(recordOf(2, 'longer'));
    expect(await cache?.load(at)).toEqual(recordOf(2, 'longer'));
    expect((await stat(path)).ino).not.toBe(ino);
  });

  it('does not write again what the file holds', async () => {
    const cache = await open();
    await cache?.save(recordOf(1));
    await cache?.close();
    const path = join(folder(), cacheFileName(at, 'main', sha256));
    const { ino } = await stat(path);
    const next = await open();
    await next?.save((await next.load(at))!);
    expect((await stat(path)).ino).toBe(ino);
    await next?.save(recordOf(1));
    expect((await stat(path)).ino).not.toBe(ino);
  });

  it('says so when a file is damaged', async () => {
    const cache = await open();
    await cache?.save(recordOf(1));
    const path = join(folder(), cacheFileName(at, 'main', sha256));
    await writeFile(path, (await readFile(path, 'utf8')).slice(0, -1));
    await expect(cache?.load(at)).rejects.toMatchObject({ code: 'cache-corrupt' });
  });

  it('lets one live process write; another reads', async () => {
    const first = await open();
    await first?.save(recordOf(1));
    const second = await open();
    expect(codes()).toEqual(['cache-locked']);
    await second?.save(recordOf(2));
    expect(await second?.load(at)).toEqual(recordOf(1));
    await second?.close();
    await first?.save(recordOf(3));
    expect(await first?.load(at)).toEqual(recordOf(3));
  });

  it('takes over from a process that died', async () => {
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
    const lock = (pid: number, startedAt: string, host: string, more = {}) =>
      JSON.stringify({ token: 'x', pid, startedAt, host, ...more });
    await mkdir(folder());
    const { hostname } = await import('node:os');
    const write = (text: string) => writeFile(join(folder(), 'lock'), text);
    await write(lock(child.pid!, '', hostname()));
    await (await open())?.close();
    expect(codes()).toEqual(['cache-locked']);
    for (const more of [{ startedAt: 'another start' }, { boot: 'another' }]) {
      await write(lock(child.pid!, '', hostname(), more));
      await (await open())?.close();
      expect(codes()).toEqual(['cache-locked']);
    }
    await write(lock(child.pid!, '', hostname()));
    child.kill('SIGKILL');
    await once(child, 'exit');
    const cache = await open();
    await cache?.save(recordOf(1));
    expect(await cache?.load(at)).toEqual(recordOf(1));
    expect(codes()).toEqual(['cache-locked']);
  });

  it('takes over from another host, or from half a lock, only when it is abandoned', async () => {
    const path = join(folder(), 'lock');
    const old = new Date(Date.now() - 3_600_000);
    await mkdir(folder());
    for (const content of [JSON.stringify({ token: 'x', pid: 1, host: 'elsewhere' }), '']) {
      problems = [];
      await writeFile(path, content);
      await (await open())?.close();
      expect(codes()).toEqual(['cache-locked']);
      await utimes(path, old, old);
      await (await open())?.close();
      expect(codes()).toEqual(['cache-locked']);
    }
  });

  it('stops writing when its lock was taken away', async () => {
    const cache = await open();
    await writeFile(join(folder(), 'lock'), JSON.stringify({ token: 'thief', pid: 1 }));
    await expect(cache?.save(recordOf(1))).rejects.toMatchObject({ code: 'cache-locked' });
    await cache?.close();
    expect(await readFile(join(folder(), 'lock'), 'utf8')).toContain('thief');
  });

  it('does without a folder that cannot be made', async () => {
    await writeFile(folder(), 'a file');
    expect(await open()).toBeUndefined();
    expect(codes()).toEqual(['cache-unavailable']);
  });
});
