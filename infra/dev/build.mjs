#!/usr/bin/env node
// `npm run build`: installs what is missing and compiles what changed.
import { complain } from './lib/launcher.mjs';
import { prepare } from './lib/prepare.mjs';
import { createTerminal } from './lib/terminal.mjs';

const terminal = createTerminal();
try {
  await prepare({ terminal });
} catch (error) {
  complain(terminal, error);
  process.exitCode = 1;
}
