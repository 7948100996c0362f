import { ProblemError } from '@pawl/admin-client';
import type { AdminClient, WriteOptions } from '@pawl/admin-client';
import type { Command } from 'commander';
import type { CliContext } from '../context.js';
import { CliError } from '../exit-codes.js';
import { print, table } from '../output.js';
import { readValue } from '../read-value.js';
import { problemText } from '../problem-text.js';
import { findDefinitions } from './find-definitions.js';
import type { DefinitionFile } from './find-definitions.js';

interface Applied {
  readonly address: string;
  readonly kind: 'schema' | 'document';
  readonly result: 'created' | 'updated' | 'unchanged' | 'promoted';
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
      const texts = await Promise.all(files.map(({ file }) => readValue(context.terminal, file)));
      const applied = await applyAll(context, flags, { files, texts });
      print(context.terminal, context.format(), applied, () => appliedText(applied));
    });
}

async function applyAll(
  context: CliContext,
  flags: ApplyFlags,
  read: { readonly files: readonly DefinitionFile[]; readonly texts: readonly string[] },
): Promise<Applied[]> {
  const client = await context.client();
  const options = flags.message === undefined ? {} : { message: flags.message };
  const applied: Applied[] = [];
  const pending = new Set(read.files.map(({ address }) => address));
  for (const [index, file] of read.files.entries()) {
    const rest = read.files.slice(index + 1);
    try {
      applied.push(await applyFile(client, file, read.texts[index] ?? '', options));
      const isLast = !rest.some(({ address }) => address === file.address);
      if (flags.promote === true && isLast && pending.delete(file.address)) {
        const promoted = await promote(client, file);
        if (promoted !== undefined) applied.push(promoted);
      }
    } catch (error) {
      if (!(error instanceof ProblemError)) throw error;
      const before = applied.length === 0 ? 'nothing was applied' : appliedText(applied);
      throw new CliError(`${file.file}: ${problemText(error.problem)}\nbefore it:\n${before}`);
    }
  }
  return applied;
}

async function applyFile(
  client: AdminClient,
  file: DefinitionFile,
  text: string,
  options: WriteOptions,
): Promise<Applied> {
  const { address, kind } = file;
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
