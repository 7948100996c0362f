import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const NOT_BUILT =
  'pawl: Pawl is not built yet: wait for npm start, or build it with npm run build\n';
const BIN = fileURLToPath(new URL('../bin/pawl.mjs', import.meta.url));

describe('pawl where the build is not there', () => {
  let clone: string;

  beforeEach(() => {
    clone = realpathSync(mkdtempSync(join(tmpdir(), 'pawl-clone-')));
    file('apps/cli/package.json', '{"type":"module"}');
    mkdirSync(join(clone, 'apps/cli/bin'));
    copyFileSync(BIN, join(clone, 'apps/cli/bin/pawl.mjs'));
  });

  afterEach(() => rmSync(clone, { recursive: true }));

  const file = (name: string, text: string): void => {
    mkdirSync(dirname(join(clone, name)), { recursive: true });
    writeFileSync(join(clone, name), text);
  };
  const pawl = () => {
    const args = [join(clone, 'apps/cli/bin/pawl.mjs'), 'status', 'acme/app'];
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
    return { status, stdout, stderr };
  };

  it.each([
    ['the CLI', undefined],
    ['half of the CLI', `import './run-cli.js';`],
    ['a room', `import '../../../libs/contracts/dist/index.js';`],
  ])('says so in one line: %s', (_what, main) => {
    if (main !== undefined) file('apps/cli/dist/pawl.js', main);
    expect(pawl()).toEqual({ status: 1, stdout: '', stderr: NOT_BUILT });
  });

  it.each([
    ['a package', `import 'no-such-package';`, `Cannot find package 'no-such-package'`],
    ['a file that no build makes', `import '../src/nowhere.mjs';`, 'nowhere.mjs'],
    ['an error of its own', `throw new Error('broken');`, 'Error: broken'],
  ])('hides nothing else: %s', (_what, main, said) => {
    file('apps/cli/dist/pawl.js', main);
    const { status, stderr } = pawl();
    expect(status).toBe(1);
    expect(stderr).toContain(said);
    expect(stderr).not.toContain('not built');
  });

  it('runs what was built', () => {
    file('apps/cli/dist/pawl.js', `console.log(...process.argv.slice(2)); process.exitCode = 3;`);
    expect(pawl()).toEqual({ status: 3, stdout: 'status acme/app\n', stderr: '' });
  });
});
