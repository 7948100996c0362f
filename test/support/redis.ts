import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { freePort } from '../../infra/dev/lib/ports.mjs';
import { findRedis } from '../../infra/dev/lib/redis-binary.mjs';
import { REPOSITORY } from '../../infra/dev/lib/repository.mjs';
import { createTerminal } from '../../infra/dev/lib/terminal.mjs';
import { endWithUs } from './leash.js';

export interface TestRedis {
  readonly url: string;
  /** Ends it at once; it keeps nothing. */
  stop(): Promise<void>;
}

/** A redis-server on a free port that keeps nothing on disk. */
export async function startRedis(): Promise<TestRedis> {
  const toolsFolder = join(REPOSITORY, '.pawl-test', 'tools');
  const { program, libraries } = await findRedis({ toolsFolder, terminal: createTerminal() });
  const port = await freePort();
  const child = spawn(program, ['--port', String(port), '--bind', '127.0.0.1', '--save', ''], {
    cwd: '/tmp',
    env: { ...process.env, LD_LIBRARY_PATH: libraries },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  if (child.pid !== undefined) endWithUs(child.pid);
  let output = '';
  await new Promise<void>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', () => reject(new Error(output)));
    child.stdout.on('data', (chunk: Buffer) => {
      output = `${output}${chunk.toString()}`.slice(-10_000);
      if (output.includes('Ready to accept connections')) resolve();
    });
  });
  return {
    url: `redis://127.0.0.1:${port}`,
    stop: async () => {
      child.kill('SIGKILL');
      await exited;
    },
  };
}
