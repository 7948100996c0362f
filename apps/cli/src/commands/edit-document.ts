import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ProblemError } from '@pawl/admin-client';
import type { WrittenView } from '@pawl/contracts';
import { stringify } from 'yaml';
import type { CliContext } from '../context.js';
import { CliError, EXIT } from '../exit-codes.js';
import { problemText } from '../problem-text.js';
import { yamlToJson } from '../yaml-to-json.js';
import { releaseNotice } from './release-notice.js';

/**
 * Opens the newest document in the user's editor and writes what comes back over the version that
 * was read. What the server refuses is kept in its file. `undefined`: nothing was changed.
 */
export async function editDocument(
  context: CliContext,
  address: string,
  message: string | undefined,
): Promise<WrittenView | undefined> {
  const editor = chosenEditor(context, address);
  const client = await context.client();
  const seen = await client.getConfig(address);
  if (context.format() === 'table') {
    context.terminal.err((await releaseNotice(client, seen)) ?? '');
  }
  const folder = await mkdtemp(join(tmpdir(), 'pawl-edit-'));
  const file = join(folder, `${address.replaceAll(/[/:]/g, '_')}.yaml`);
  const before = stringify(seen.document);
  await writeFile(file, before, { mode: 0o600 });
  const failure = await runEditor(editor, file);
  const after = await readFile(file, 'utf8').catch(() => before);
  if (after === before) {
    await rm(folder, { recursive: true, force: true });
    if (failure !== undefined) throw new CliError(failure);
    return undefined;
  }
  try {
    if (failure !== undefined) throw new CliError(failure);
    const text = yamlToJson(after, file);
    const options = { expect: seen.version, ...(message === undefined ? {} : { message }) };
    const written = await client.putConfig(address, { text }, options);
    await rm(folder, { recursive: true, force: true });
    return written;
  } catch (error) {
    const reason = error instanceof ProblemError ? problemText(error.problem) : messageOf(error);
    const again = context.command(`config put ${address} -f ${file} --expect ${seen.version}`);
    throw new CliError(
      `${reason}\nyour edit is kept in ${file}; to write it: ${again}`,
      EXIT.error,
      error instanceof ProblemError ? error.problem : undefined,
    );
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** An editor for a screen, which nobody chose, waits for ever where there is none. */
function chosenEditor(context: CliContext, address: string): string {
  const { env, terminal } = context;
  const chosen = env['VISUAL'] || env['EDITOR'];
  if (chosen) return chosen;
  if (terminal.isTty && terminal.isInputTty) return 'vi';
  throw new CliError(
    `nobody can edit here: this is no terminal, and neither EDITOR nor VISUAL is set; write a file instead: ${context.command(`config put ${address} -f FILE`)}`,
  );
}

/** Answers why it did not end well; `undefined`: it did. */
function runEditor(editor: string, file: string): Promise<string | undefined> {
  const [command = 'vi', ...args] = editor.split(/\s+/).filter((part) => part !== '');
  return new Promise((resolve) => {
    const child = spawn(command, [...args, file], { stdio: 'inherit' });
    child.on('error', (error) => {
      resolve(`cannot run the editor "${command}": ${error.message}; set EDITOR`);
    });
    child.on('exit', (code, signal) => {
      if (code === 0) resolve(undefined);
      else resolve(`the editor ended with ${signal ?? code}; nothing was written`);
    });
  });
}
