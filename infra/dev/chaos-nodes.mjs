#!/usr/bin/env node
// `npm run chaos [-- --minutes M | --seed N | --only FAULT | --times N | --list]`: builds, then harms
// control planes, PostgreSQL and NATS in processes of their own, and judges what everybody saw.
import { join } from 'node:path';
import { runnerImport } from 'vite';
import { complain } from './lib/launcher.mjs';
import { findNats } from './lib/nats-binary.mjs';
import { prepare } from './lib/prepare.mjs';
import { REPOSITORY } from './lib/repository.mjs';
import { createTerminal } from './lib/terminal.mjs';

const terminal = createTerminal();
try {
  await prepare({ terminal });
  const toolsFolder = join(REPOSITORY, '.pawl-test', 'tools');
  const natsServer = await findNats({ toolsFolder, terminal });
  const main = join(REPOSITORY, 'test', 'chaos', 'nodes', 'main.ts');
  const { module } = await runnerImport(main, {
    root: REPOSITORY,
    configFile: false,
    logLevel: 'error',
  });
  process.exit(await module.main(process.argv.slice(2), natsServer));
} catch (error) {
  complain(terminal, error);
  process.exit(1);
}
