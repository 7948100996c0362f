import { ProblemError, UnreachableError } from '@pawl/admin-client';
import type { AdminClient, WriteOptions } from '@pawl/admin-client';
import type { Command } from 'commander';
import type { CliContext } from '../context.js';
import { CliError, EXIT } from '../exit-codes.js';
import { print, table } from '../output.js';
import { problemText } from '../problem-text.js';
import { findDefinitions } from './find-definitions.js';
import type { DefinitionFile } from './find-definitions.js';
import { EXCEPTION } from './freeze-text.js';
import { readDefinitions } from './read-definitions.js';
import type { ReadFile } from './read-definitions.js';
import { promoteHint } from './release-notice.js';

interface Applied {
  readonly address: string;
  readonly kind: 'schema' | 'document';
  readonly result: 'created' | 'updated' | 'unchanged' | 'promoted' | 'in stages';
  readonly version: number;
}

interface ApplyFlags {
  readonly file: string;
  readonly message?: string;
  readonly promote?: true;
}

/** `pawl apply -f DIR`: a folder of definitions onto their addresses; again changes nothing. */
export function addApply(program: Command, context: CliContext): void {
  program
    .command('apply')
    .description('write a folder of JSON and YAML files onto their addresses')
    .requiredOption('-f, --file <folder>', 'the folder; paths below it are addresses')
    .option('-m, --message <text>', 'why')
    .option('--promote', 'promote each address after it is written')
    .action(async (flags: ApplyFlags) => {
      const files = await findDefinitions(flags.file);
      if (files.length === 0) throw new CliError(`${flags.file} holds no JSON or YAML files`);
      const applied = await applyAll(context, flags, await readDefinitions(context, files));
      print(context.terminal, context.format(), applied, () => {
        const hints = flags.promote === true ? '' : promoteHints(context, applied);
        return `${appliedText(applied)}${hints}`;
      });
    });
}

/** A line for each address that was written, ancestors first as they were. */
function promoteHints(context: CliContext, applied: readonly Applied[]): string {
  const written = applied.filter(({ result }) => result !== 'unchanged');
  const addresses = new Set(written.map(({ address }) => address));
  return [...addresses].map((address) => promoteHint(context, address)).join('');
}

async function applyAll(
  context: CliContext,
  flags: ApplyFlags,
  files: readonly ReadFile[],
): Promise<Applied[]> {
  const client = await context.client();
  const options = flags.message === undefined ? {} : { message: flags.message };
  const applied: Applied[] = [];
  const step = async (file: ReadFile, work: () => Promise<Applied | undefined>): Promise<void> => {
    try {
      const done = await work();
      if (done !== undefined) applied.push(done);
    } catch (error) {
      const before = applied.length === 0 ? 'nothing was applied' : appliedText(applied);
      const text = (why: string): string => `${file.file}: ${why}\nbefore it:\n${before}`;
      if (error instanceof UnreachableError) throw new CliError(text(error.message));
      if (!(error instanceof ProblemError)) throw error;
      const { problem } = error;
      const words = `promote ${file.address} ${EXCEPTION}`;
      const hint = problem.code === 'frozen' ? `\nby itself: ${context.command(words)}` : '';
      throw new CliError(text(`${problemText(problem)}${hint}`), EXIT.error, problem);
    }
  };
  const write = (file: ReadFile): Promise<void> =>
    step(file, () => applyFile(client, file, options));
  for (const pair of byAddress(files)) {
    await inWorkingOrder(pair, write);
    const last = pair.at(-1);
    if (flags.promote === true && last !== undefined) await step(last, () => promote(client, last));
  }
  return applied;
}

/**
 * Schema and document are written one after the other, and each is judged with what is there of the
 * other: where the new schema refuses the document that is there, the new document goes first.
 */
async function inWorkingOrder(
  [first, second]: readonly ReadFile[],
  write: (file: ReadFile) => Promise<void>,
): Promise<void> {
  if (first === undefined) return;
  try {
    await write(first);
  } catch (error) {
    const swap = error instanceof CliError && error.problem?.code === 'schema-violation';
    if (!swap || second === undefined) throw error;
    await write(second);
    await write(first);
    return;
  }
  if (second !== undefined) await write(second);
}

function byAddress(files: readonly ReadFile[]): ReadFile[][] {
  const groups = new Map<string, ReadFile[]>();
  for (const file of files) {
    const group = groups.get(file.address) ?? [];
    groups.set(file.address, [...group, file]);
  }
  return [...groups.values()];
}

async function applyFile(
  client: AdminClient,
  file: ReadFile,
  options: WriteOptions,
): Promise<Applied> {
  const { address, kind, text } = file;
  const seen = await newestVersion(client, address);
  const expect = seen === 0 ? ('none' as const) : seen;
  const written =
    kind === 'schema'
      ? await client.putSchema(address, { text }, { ...options, expect })
      : await client.putConfig(address, { text }, { ...options, expect });
  const result = seen === 0 ? 'created' : written.version === seen ? 'unchanged' : 'updated';
  return { address, kind, result, version: written.version };
}

async function promote(client: AdminClient, file: DefinitionFile): Promise<Applied | undefined> {
  const { address, kind } = file;
  const before = await client.getRelease(address);
  const after = await client.release(address, { action: 'promote' });
  if (after.releaseVersion === before.releaseVersion) return undefined;
  if (after.candidate !== undefined) {
    return { address, kind, result: 'in stages', version: after.candidate };
  }
  return { address, kind, result: 'promoted', version: after.stableVersion ?? 0 };
}

async function newestVersion(client: AdminClient, address: string): Promise<number> {
  try {
    return (await client.getConfig(address)).version;
  } catch (error) {
    if (error instanceof ProblemError && error.problem.status === 404) return 0;
    throw error;
  }
}

function appliedText(applied: readonly Applied[]): string {
  return table(
    ['address', 'what', 'result', 'version'],
    applied.map(({ address, kind, result, version }) => [address, kind, result, version]),
  );
}
