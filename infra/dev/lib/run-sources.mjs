import { join } from 'node:path';
import { complain } from './launcher.mjs';
import { prepare } from './prepare.mjs';
import { REPOSITORY } from './repository.mjs';
import { createTerminal } from './terminal.mjs';

/**
 * Builds what is not up to date, then runs a module of the repository from its sources in this process.
 *
 * @param {readonly string[]} path of the module, from the repository's folder
 * @param {(module: any, terminal: import('./terminal.mjs').Terminal) => Promise<number>} work
 * @returns {Promise<number>} the exit code
 */
export async function runSources(path, work) {
  const terminal = createTerminal();
  try {
    await prepare({ terminal });
    // Not there on a bare clone until now.
    const { runnerImport } = await import('vite');
    const { module } = await runnerImport(join(REPOSITORY, ...path), {
      root: REPOSITORY,
      configFile: false,
      logLevel: 'error',
    });
    return await work(module, terminal);
  } catch (error) {
    complain(terminal, error);
    return 1;
  }
}
