import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ProblemError } from '@pawl/admin-client';
import type { WrittenView } from '@pawl/contracts';
import { stringify } from 'yaml';
import type { CliContext } from '../context.js';
import { CliError } from '../exit-codes.js';
import { problemText } from '../problem-text.js';
import { yamlToJson } from '../read-value.js';

/**
 * Opens the newest document in the user's editor and writes what comes back over the version that
 * was read. What the server refuses is kept in its file. `undefined`: nothing was changed.
 */
export async function editDocument(
  context: CliContext,
  address: string,
  message: string | undefined,
): Promise<WrittenView | undefined> {
  const client = await context.client();
  const seen = await client.getConfig(address);
  const folder = await mkdtemp(join(tmpdir(), 'pawl-edit-'));
  const file = join(folder, `${address.replaceAll(/[/:]/g, '_')}.yaml`);
  const before = stringify(seen.document);
  await writeFile(file, before, { mode: 0o600 });
  await runEditor(context.env, file);
  const after = await readFile(file, 'utf8');
  if (after === before) {
    await rm(folder, { recursive: true, force: true });
    return undefined;
  }
  try {
    const text = yamlToJson(after, file);
    const options = { expect: seen.version, ...(message === undefined ? {} : { message }) };
    const written = await client.putConfig(address, { text }, options);
    await rm(folder, { recursive: true, force: true });
    return written;
  } catch (error) {
    const reason = error instanceof ProblemError ? problemText(error.problem) : String(error);
    throw new CliError(`${reason}\nyour edit is kept in ${file}`);
  }
}

function runEditor(env: CliContext['env'], file: string): Promise<void> {
  const editor = env['VISUAL'] || env['EDITOR'] || 'vi';
  const [command = 'vi', ...args] = editor.split(/\s+/).filter((part) => part !== '');
  return new Promise((resolve, reject) => {
    const child = spawn(command, [...args, file], { stdio: 'inherit' });
    child.on('error', (error) => {
      reject(new CliError(`cannot run the editor "${command}": ${error.message}; set EDITOR`));
    });
    child.on('exit', (code) => {
      if (code === 0) resolve();
      else reject(new CliError(`the editor ended with ${code ?? 'a signal'}; nothing was written`));
    });
  });
}
