import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { readdirSync } from 'node:fs';
import { expect, it } from 'vitest';
import { takeLock } from '../../infra/dev/lib/lock.mjs';
import { REPOSITORY } from '../../infra/dev/lib/repository.mjs';
import { makeTemporaryFolder } from '../support/temporary-folder.js';

const CONTENDERS = 6;
const ENTRIES_EACH = 100;

/** Takes the lock again and again; prints what it saw; every third entry ends by kill -9. */
const CONTENDER = `
  import { takeLock } from ${JSON.stringify(join(REPOSITORY, 'infra/dev/lib/lock.mjs'))};
  import { rmSync, writeFileSync } from 'node:fs';
  import { setTimeout as sleep } from 'node:timers/promises';
  const [folder, inside, entries, dies] = process.argv.slice(1);
  let entered = 0;
  while (entered < Number(entries)) {
    const answer = await takeLock(folder);
    if (!answer.held) { await sleep(0); continue; }
    writeFileSync(inside, String(process.pid), { flag: 'wx' });
    await sleep(1);
    rmSync(inside);
    entered += 1;
    if (dies === 'yes') process.kill(process.pid, 'SIGKILL');
    await answer.release();
  }
`;

async function contend(folder: string, dies: boolean): Promise<string> {
  const inside = join(folder, '..', 'inside');
  const args = ['--input-type=module', '-e', CONTENDER, folder, inside, String(ENTRIES_EACH)];
  const child = spawn(process.execPath, [...args, dies ? 'yes' : 'no']);
  let complaint = '';
  child.stderr.on('data', (chunk: Buffer) => (complaint += chunk.toString()));
  await new Promise((resolve) => child.once('close', resolve));
  return complaint;
}

it('never lets two processes in, also when holders are killed', async () => {
  const root = await makeTemporaryFolder('lock');
  const folder = join(root.path, 'locks');
  const complaints = await Promise.all(
    Array.from({ length: CONTENDERS }, (_, at) => contend(folder, at % 3 === 0)),
  );
  expect(complaints).toEqual(complaints.map(() => ''));
  const names = readdirSync(folder);
  expect(names.filter((name) => name.startsWith('lock-'))).toHaveLength(1);
  await root.remove();
});

it('is free again when given back, and names its holder until then', async () => {
  const root = await makeTemporaryFolder('lock');
  const first = await takeLock(root.path);
  expect(first.held).toBe(true);
  const refused = await takeLock(root.path);
  expect(refused).toMatchObject({ held: false, holder: { pid: process.pid } });
  if (first.held) await first.release();
  expect((await takeLock(root.path)).held).toBe(true);
  await root.remove();
});
