#!/usr/bin/env node
// `npm run bench [-- put fanout …]`: builds, then prints figures and their ratios to the bare limits.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { complain } from './lib/launcher.mjs';
import { prepare } from './lib/prepare.mjs';
import { REPOSITORY } from './lib/repository.mjs';
import { createTerminal } from './lib/terminal.mjs';

const terminal = createTerminal();
try {
  await prepare({ terminal });
  const main = join(REPOSITORY, 'test', 'bench', 'main.mjs');
  const bench = spawn(process.execPath, [main, ...process.argv.slice(2)], { stdio: 'inherit' });
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => bench.kill('SIGTERM'));
  process.exitCode = await new Promise((resolve) => bench.on('exit', (code) => resolve(code ?? 1)));
} catch (error) {
  complain(terminal, error);
  process.exitCode = 1;
}
