import type { AdminClient } from '@pawl/admin-client';
import type { DiffView } from '@pawl/contracts';
import { InvalidArgumentError } from 'commander';
import type { Command } from 'commander';
import type { CliContext } from '../context.js';
import { CliError, EXIT } from '../exit-codes.js';
import { print } from '../output.js';
import { parseVersion } from './config.command.js';
import { patchLines } from './patch-lines.js';

/** An address and one of its versions; the newest where none is named. */
interface Versioned {
  readonly address: string;
  readonly version?: number;
}

interface DiffFlags {
  readonly effective?: true;
}

/** `pawl diff A[@N] B[@N]`: what differs between two addresses, or two versions. */
export function addDiff(program: Command, context: CliContext): void {
  program
    .command('diff')
    .argument('<from>', 'address, or ADDRESS@VERSION', parseVersioned)
    .argument('<to>', 'address, or ADDRESS@VERSION', parseVersioned)
    .description('what differs from one address, or version, to the other')
    .option('--effective', 'compare what is read there now, with all that is inherited')
    .action(async (from: Versioned, to: Versioned, { effective }: DiffFlags) => {
      const isEffective = effective === true;
      if (isEffective && (from.version ?? to.version) !== undefined) {
        throw new CliError('--effective compares what is read now: name no versions', EXIT.usage);
      }
      const client = await context.client();
      const view = await client.diffWith(from.address, {
        with: to.address,
        ...(from.version === undefined ? {} : { from: from.version }),
        ...(to.version === undefined ? {} : { to: to.version }),
        ...(isEffective ? { effective: true } : {}),
      });
      const isShown = context.format() === 'table';
      const before = isShown ? await documentOf(client, from.address, view) : {};
      print(context.terminal, context.format(), view, () => diffText(from, view, before));
    });
}

function documentOf(client: AdminClient, address: string, view: DiffView): Promise<unknown> {
  return view.effective === true
    ? client.effective(address).then(({ document }) => document)
    : client.getConfig(address, view.from).then(({ document }) => document);
}

function diffText({ address }: Versioned, view: DiffView, before: unknown): string {
  const word = view.effective === true ? 'snapshot' : 'version';
  const to = `${view.with ?? address} ${word} ${view.to}`;
  const lines = patchLines(before, view.patch);
  return `${address} ${word} ${view.from} → ${to}\n${lines === '' ? '  no difference\n' : lines}`;
}

function parseVersioned(text: string): Versioned {
  const [address = '', version, ...rest] = text.split('@');
  if (rest.length > 0 || address === '') {
    throw new InvalidArgumentError('it is ADDRESS or ADDRESS@VERSION');
  }
  return version === undefined ? { address } : { address, version: parseVersion(version) };
}
