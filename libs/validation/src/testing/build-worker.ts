import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

/**
 * Builds this room, as specs that use workers must first: a thread of Node 20 loads no TypeScript,
 * so workers always run from `dist`, and never from a stale one.
 */
export async function buildWorker(): Promise<void> {
  const compiler = fileURLToPath(
    new URL('bin/tsc', import.meta.resolve('typescript-native/package.json')),
  );
  const room = fileURLToPath(new URL('../..', import.meta.url));
  try {
    await promisify(execFile)(process.execPath, [compiler, '-b', room]);
  } catch (error) {
    throw new Error(`the room does not build: ${(error as { stdout: string }).stdout}`);
  }
}
