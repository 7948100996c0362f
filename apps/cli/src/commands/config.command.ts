import type { DefinitionView, MergeOrigin, WrittenView } from '@pawl/contracts';
import { InvalidArgumentError } from 'commander';
import type { Command } from 'commander';
import { stringify } from 'yaml';
import type { Expect } from '@pawl/admin-client';
import type { CliContext } from '../context.js';
import { print, table } from '../output.js';
import { readValue } from '../read-value.js';
import { refuseFaulty } from './read-definitions.js';
import { editDocument } from './edit-document.js';
import { listHistory } from './history.js';
import { promoteHint, releaseNotice } from './release-notice.js';

export const parseVersion = fromOne('a version');

export function parseExpect(text: string): Expect {
  if (text === 'any' || text === 'none') return text;
  return parseVersion(text);
}

/** Reads a whole number from 1; `what` it is says the refusal. */
export function fromOne(what: string): (text: string) => number {
  return (text) => {
    if (!/^[1-9][0-9]{0,14}$/.test(text)) throw new InvalidArgumentError(`${what} is 1, 2, 3 …`);
    return Number(text);
  };
}

/** A whole number from 0. */
export function parseCount(text: string): number {
  if (!/^(0|[1-9][0-9]{0,14})$/.test(text)) throw new InvalidArgumentError('not a whole number');
  return Number(text);
}

interface PutFlags {
  readonly file: string;
  readonly expect?: Expect;
  readonly message?: string;
  readonly schema?: true;
}

/** `pawl config get|put|edit|diff|history`. */
export function addConfig(program: Command, context: CliContext): void {
  const config = program.command('config').description('read and write definitions');
  config
    .command('get <address>')
    .description('print the newest definition, or an earlier version')
    .option('--version <n>', 'that version', parseVersion)
    .option('--schema', 'the schema instead of the document')
    .action(async (address: string, flags: { version?: number; schema?: true }) => {
      const client = await context.client();
      if (flags.schema === true) {
        const schema = await client.getSchema(address, flags.version);
        print(context.terminal, context.format(), schema, () => stringify(schema));
        return;
      }
      const view = await client.getConfig(address, flags.version);
      const forPeople = context.format() === 'table' && context.terminal.isTty;
      if (forPeople && flags.version === undefined) {
        context.terminal.err((await releaseNotice(client, view)) ?? '');
      }
      print(context.terminal, context.format(), view, () => definitionText(view));
    });
  config
    .command('put <address>')
    .description('write the next version from JSON or YAML')
    .requiredOption('-f, --file <file>', 'file to read; - for standard input')
    .option('--expect <version>', 'the version you have seen: n, any or none', parseExpect)
    .option('-m, --message <text>', 'why')
    .option('--schema', 'write the schema instead of the document')
    .action(async (address: string, flags: PutFlags) => {
      const text = await readValue(context.terminal, flags.file);
      const { schema, file, ...options } = flags;
      const kind = schema === true ? 'schema' : 'document';
      refuseFaulty({ file: file === '-' ? 'standard input' : file, address, kind }, text);
      const client = await context.client();
      const written =
        schema === true
          ? await client.putSchema(address, { text }, options)
          : await client.putConfig(address, { text }, options);
      print(context.terminal, context.format(), written, () => writtenText(context, written));
    });
  config
    .command('edit <address>')
    .description('edit the newest version in $EDITOR and write it as the next')
    .option('-m, --message <text>', 'why')
    .action(async (address: string, flags: { message?: string }) => {
      const written = await editDocument(context, address, flags.message);
      if (written === undefined) context.terminal.out('nothing changed\n');
      else print(context.terminal, context.format(), written, () => writtenText(context, written));
    });
  addReading(config, context);
}

function addReading(config: Command, context: CliContext): void {
  config
    .command('diff <address>')
    .argument('<from>', 'version', parseVersion)
    .argument('<to>', 'version', parseVersion)
    .description('what changed between two versions, as a JSON Patch')
    .action(async (address: string, from: number, to: number) => {
      const client = await context.client();
      const view = await client.diff(address, from, to);
      print(context.terminal, context.format(), view, () => patchText(view.patch));
    });
  config
    .command('history <address>')
    .description('who did what, newest first')
    .option('--limit <n>', 'how many', fromOne('a limit'), 20)
    .action((address: string, flags: { limit: number }) =>
      listHistory(context, address, flags.limit),
    );
}

function definitionText(view: DefinitionView): string {
  const head = `# ${view.address} version ${view.version} by ${view.author}, ${view.createdAt}`;
  const why = view.message === undefined ? '' : `\n# ${view.message.replaceAll('\n', '\n# ')}`;
  const from = view.origin === undefined ? '' : `\n# ${originText(view.origin)}`;
  return `${head}${why}${from}\n${stringify(view.document)}`;
}

function originText({ address, version, baseVersion }: MergeOrigin): string {
  const since = baseVersion === 0 ? '' : `, what changed since its version ${baseVersion}`;
  return `from ${address} version ${version}${since}`;
}

function writtenText(context: CliContext, written: WrittenView): string {
  const lines = [`${written.address} version ${written.version}`];
  for (const warning of written.warnings) {
    lines.push(`warning: ${warning.address} ${warning.pointer}: ${warning.message}`);
  }
  return `${lines.join('\n')}\n${promoteHint(context, written.address)}`;
}

function patchText(patch: readonly Readonly<Record<string, unknown>>[]): string {
  if (patch.length === 0) return 'no difference\n';
  return table(
    ['change', 'where', 'value'],
    patch.map(({ op, path, value }) => [
      op,
      path,
      value === undefined ? '' : JSON.stringify(value),
    ]),
  );
}
