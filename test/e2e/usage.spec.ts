import { execFileSync } from 'node:child_process';
import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { REPOSITORY } from '../../infra/dev/lib/repository.mjs';
import { makeTemporaryFolder, type TemporaryFolder } from '../support/temporary-folder.js';

/** The scripts alone: nothing is there that could be built, or that would have been. */
let folder: TemporaryFolder;

beforeAll(async () => {
  folder = await makeTemporaryFolder('usage');
  await cp(join(REPOSITORY, 'infra', 'dev'), join(folder.path, 'infra', 'dev'), {
    recursive: true,
  });
});
afterAll(() => folder.remove());

it.each([
  ['start', 'npm start'],
  ['test', 'npm test'],
  ['bench', 'npm run bench'],
  ['sim', 'npm run sim'],
  ['chaos-nodes', 'npm run chaos '],
  ['chaos', 'npm run chaos:quorum'],
])('%s says how it is used before it builds anything', (script, usage) => {
  for (const flag of ['--help', '-h']) {
    const program = join(folder.path, 'infra', 'dev', `${script}.mjs`);
    const out = execFileSync(process.execPath, [program, flag], {
      encoding: 'utf8',
      cwd: folder.path,
    });
    expect(out).toContain(`Usage: ${usage}`);
  }
});
