import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { complain } from './launcher.mjs';
import { prepare } from './prepare.mjs';
import { REPOSITORY } from './repository.mjs';
import { createTerminal } from './terminal.mjs';

/**
 * Builds what is not up to date, then runs a script of the repository in a process of its own.
 *
 * @param {readonly string[]} path of the script, from the repository's folder
 * @param {readonly string[]} args
 * @returns {Promise<number>} its exit code
 */
export async function runBuilt(path, args) {
  const terminal = createTerminal();
  try {
    await prepare({ terminal });
    const child = spawn(process.execPath, [join(REPOSITORY, ...path), ...args], {
      stdio: 'inherit',
    });
    for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill('SIGTERM'));
    return await new Promise((resolve) => child.on('exit', (code) => resolve(code ?? 1)));
  } catch (error) {
    complain(terminal, error);
    return 1;
  }
}
