import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { isAlive, ownIdentity } from './index.js';

const own = ownIdentity();

describe('whether a process lives', () => {
  it('is told of this one, by its whole identity and by less', () => {
    expect(own.pid).toBe(process.pid);
    expect(isAlive(own)).toBe(true);
    expect(isAlive({ pid: own.pid })).toBe(true);
    expect(isAlive({ pid: own.pid, startedAt: null, boot: null })).toBe(true);
  });

  it('is told of one that ends', async () => {
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
    const pid = child.pid ?? 0;
    expect(isAlive({ pid })).toBe(true);
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(isAlive({ pid })).toBe(false);
  });

  it.runIf(process.platform === 'linux').each([
    ['of another process, now under its id', { startedAt: '1' }],
    ['from before the last boot', { boot: 'another' }],
  ])('is denied to one %s', (_, change) => {
    expect(own).toEqual({
      pid: process.pid,
      startedAt: expect.stringMatching(/^\d+$/) as unknown,
      boot: expect.stringMatching(/^[0-9a-f-]{36}$/) as unknown,
    });
    expect(isAlive({ ...own, ...change })).toBe(false);
  });

  it.runIf(process.platform === 'linux')('is denied to a zombie', async () => {
    // The shell that would have waited for it has become one that waits for nothing.
    const parent = spawn('sh', ['-c', 'sleep 60 & echo $!; exec sleep 60']);
    try {
      const [pid] = (await once(parent.stdout, 'data')) as [Buffer];
      const zombie = Number(pid.toString());
      expect(isAlive({ pid: zombie })).toBe(true);
      process.kill(zombie, 'SIGKILL');
      await expect.poll(() => isAlive({ pid: zombie }), { timeout: 10_000 }).toBe(false);
      expect(process.kill(zombie, 0), 'its id is still taken').toBe(true);
    } finally {
      parent.kill('SIGKILL');
      await once(parent, 'exit');
    }
  });

  it.each([0, -1, 1.5, NaN, 2 ** 40, '1'])('is denied to %j, which is no id', (pid) => {
    expect(isAlive({ pid: pid as number })).toBe(false);
  });
});
