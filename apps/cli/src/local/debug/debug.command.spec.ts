import { mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { CliWorld } from '../../testing/cli-world.js';

let world: CliWorld;

beforeEach(async () => {
  world = await CliWorld.start();
  await mkdir(join(world.folder, 'metadata'));
  await world.run(['metadata', 'adopt', '--yes'], { env: { PAWL_DATA_DIR: world.folder } });
});

afterEach(() => world.stop());

it('lists the log by pages', async () => {
  const { code, out } = await world.pawl('debug', 'wal', world.folder, '--limit', '6');
  expect(code).toBe(0);
  expect(out).toMatch(/^SEGMENT +BYTES +FIRST INDEX +RECORDS\nwal-0+1\.log /);
  expect(out).toContain('more: --from 2\n');
  expect(out).not.toContain('pawl/epoch');
  const rest = await world.pawl('-o', 'json', 'debug', 'wal', world.folder, '--from', '2');
  const { records, next } = JSON.parse(rest.out) as {
    records: { index: number; kind: string; detail: string }[];
    next: number | null;
  };
  expect(next).toBeNull();
  expect(records[0]).toMatchObject({ index: 2, kind: 'command' });
  expect(records.some(({ detail }) => detail.includes('put "pawl/epoch"'))).toBe(true);
});

it('shows what the node would start from', async () => {
  const { code, out } = await world.pawl('debug', 'raft', world.folder);
  expect(code).toBe(0);
  expect(out).toMatch(/^node +node-1$/m);
  expect(out).toMatch(/^members +voters node-1 \(as of \d+\)$/m);
  expect((await world.pawl('debug', 'snapshot', world.folder)).out).toBe(
    'no snapshot was taken yet\n',
  );
});

it('ends with 1 for what a start would refuse, and where there is nothing', async () => {
  const [name = ''] = (await readdir(join(world.folder, 'metadata'))).filter((one) =>
    one.startsWith('wal-'),
  );
  const file = join(world.folder, 'metadata', name);
  const bytes = await readFile(file);
  bytes[100] = (bytes[100] ?? 0) ^ 1;
  await writeFile(file, bytes);
  const { code, err } = await world.pawl('debug', 'raft', world.folder);
  expect(code).toBe(1);
  expect(err).toMatch(/^pawl: .*is damaged at byte .*\n$/);
  expect((await world.pawl('debug', 'wal', world.folder)).code).toBe(1);
  await rm(file);
  const missing = await world.pawl('debug', 'wal', world.folder);
  expect(missing).toMatchObject({ code: 1 });
  const nothing = await world.pawl('debug', 'wal', join(world.folder, 'missing'));
  expect(nothing).toMatchObject({ code: 1, out: '' });
  expect(nothing.err).toContain('holds no log');
});

it('says what a wrong number was to be', async () => {
  const ran = await world.pawl('debug', 'wal', world.folder, '--from', 'x');
  expect(ran.code).toBe(2);
  expect(ran.err).toContain('an index is 1, 2, 3 …');
  expect((await world.pawl('debug', 'wal', world.folder, '--limit', '0')).err).toContain(
    'a limit is 1, 2, 3 …',
  );
});
