#!/usr/bin/env node
// `npm run bench [-- put fanout …]`: builds, then prints figures and their ratios to the bare limits.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { complain } from './lib/launcher.mjs';
import { prepare } from './lib/prepare.mjs';
import { REPOSITORY } from './lib/repository.mjs';
import { createTerminal } from './lib/terminal.mjs';

const HELP = `Prints figures and their ratios to the bare limits, measured by turns in one run.

Usage: npm run bench [put|fanout|reads|recompute|wire …]

  put         a PUT, beside the bare transaction with and without HTTP
  fanout      from publication until the last consumer has applied, beside a bare publish
  reads       a read of local memory, beside a plain property and a Map
  recompute   an edit at a root with 1,000 addresses below
  wire        bytes to a consumer for one changed key of a 64 KiB document

Without a name all of them run, one after the other.
`;

const args = process.argv.slice(2);
const terminal = createTerminal();
if (args.includes('--help') || args.includes('-h')) terminal.line(HELP.trimEnd());
else await bench();

async function bench() {
  try {
    await prepare({ terminal });
    const main = join(REPOSITORY, 'test', 'bench', 'main.mjs');
    const child = spawn(process.execPath, [main, ...args], { stdio: 'inherit' });
    for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill('SIGTERM'));
    process.exitCode = await new Promise((resolve) =>
      child.on('exit', (code) => resolve(code ?? 1)),
    );
  } catch (error) {
    complain(terminal, error);
    process.exitCode = 1;
  }
}
