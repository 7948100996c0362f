import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { openMetadata } from '@pawl/metadata';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CliWorld } from '../testing/cli-world.js';
import { systemClock, foregroundTimer } from '@pawl/contracts/node';

let world: CliWorld;

beforeEach(async () => {
  world = await CliWorld.start();
});

afterEach(() => world.stop());

describe('pawl metadata adopt', () => {
  const adopt = (PAWL_DATA_DIR: string, flags = ['--yes'], answer?: string) =>
    world.run(['metadata', 'adopt', ...flags], {
      env: { PAWL_DATA_DIR },
      ...(answer === undefined ? {} : { answer }),
    });

  it('raises the epoch of a store that is there, and makes none', async () => {
    const missing = await adopt(world.folder);
    expect(missing.code).toBe(1);
    expect(missing.err).toMatch(/no metadata store at .*; name .* PAWL_DATA_DIR/);
    expect(await readdir(world.folder)).toEqual([]);
    await mkdir(join(world.folder, 'metadata'));
    const first = await adopt(world.folder);
    expect(first).toMatchObject({ code: 0, err: '' });
    expect((await adopt(world.folder)).out).not.toBe(first.out);
  });

  it('says of a node that runs how it is stopped, and offers no other folder', async () => {
    const dataDir = join(world.folder, 'metadata');
    const clocks = { clock: systemClock, timer: foregroundTimer };
    const running = await openMetadata({ dataDir, nodeId: 'node-1', ...clocks });
    const { code, err } = await adopt(world.folder);
    await running.close();
    expect(code).toBe(1);
    expect(err).toMatch(
      new RegExp(
        `^pawl: nothing was changed: the node runs \\(process ${process.pid}\\), .*stop it in order`,
      ),
    );
    expect(err).not.toContain('another data folder');
    expect((await adopt(world.folder)).code).toBe(0);
  });

  it('does so once somebody answers yes, and needs --yes where nobody can', async () => {
    const folder = join(world.folder, 'metadata');
    await mkdir(folder);
    const unasked = await adopt(world.folder, []);
    expect([unasked.code, unasked.out]).toEqual([2, '']);
    expect(unasked.err).toMatch(/nothing was changed: .* add --yes\n$/);
    const no = await adopt(world.folder, [], 'y');
    expect([no.code, no.out]).toEqual([1, '']);
    expect(no.err).toMatch(
      new RegExp(`^this raises the epoch of ${folder}: .* fences every other owner`),
    );
    expect(await readdir(folder)).toEqual([]);
    const yes = await adopt(world.folder, [], 'yes');
    expect([yes.code, yes.out]).toEqual([0, expect.stringContaining('the epoch is now 2')]);
  });
});
