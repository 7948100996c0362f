import { execFile } from 'node:child_process';
import { CLI } from '../../infra/dev/lib/repository.mjs';
import { cleanEnvironment } from './quorum-process.js';

const DEADLINE_MS = 60_000;

export interface RanPawl {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs a `pawl` command of the last build to its end, in a process of its own. */
export function runPawl(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<RanPawl> {
  return new Promise((resolve, reject) => {
    const options = { env: { ...cleanEnvironment(), ...env }, timeout: DEADLINE_MS };
    execFile(process.execPath, [CLI, ...args], options, (error, out, err) => {
      const code = error === null ? 0 : error.code;
      if (typeof code === 'number') resolve({ code, out, err });
      else reject(new Error(`pawl ${args.join(' ')} was ended: ${err}`, { cause: error }));
    });
  });
}
