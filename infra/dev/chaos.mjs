#!/usr/bin/env node
// `npm run chaos:quorum [-- --minutes M | --seed N | --only NAME]`: builds, then harms quorums of
// real processes and judges what their clients saw.
import { join } from 'node:path';
import { runnerImport } from 'vite';
import { complain } from './lib/launcher.mjs';
import { prepare } from './lib/prepare.mjs';
import { REPOSITORY } from './lib/repository.mjs';
import { createTerminal } from './lib/terminal.mjs';

const terminal = createTerminal();
try {
  await prepare({ terminal });
  const main = join(REPOSITORY, 'test', 'chaos', 'main.ts');
  const { module } = await runnerImport(main, {
    root: REPOSITORY,
    configFile: false,
    logLevel: 'error',
  });
  process.exit(await module.main(process.argv.slice(2)));
} catch (error) {
  complain(terminal, error);
  process.exit(1);
}
