import { ProblemError, UnreachableError } from '@pawl/admin-client';
import type { AdminClient } from '@pawl/admin-client';
import { parseAddress, POLICY_DOCUMENT } from '@pawl/contracts';
import type { Command } from 'commander';
import type { CliContext } from '../context.js';
import { CliError, EXIT } from '../exit-codes.js';
import { plain, print } from '../output.js';
import { problemText } from '../problem-text.js';
import { allPages } from './all-pages.js';
import { found } from './found.js';
import { policyOf, setFrozen } from './set-frozen.js';
import type { FrozenScope } from './set-frozen.js';

interface Flags {
  readonly all?: true;
  readonly reason?: string;
}

/** What is done, in words. */
interface Deed {
  readonly verb: 'freeze' | 'unfreeze';
  /** As a scope is then. */
  readonly state: 'frozen' | 'unfrozen';
  readonly frozen: string | null;
  readonly message: string;
}

interface Failure {
  readonly scope: string;
  readonly why: string;
}

/** Scopes that are worked on at the same time. */
const AT_ONCE = 8;
const MAX_REASON = 1_024;

/** `pawl freeze`, `pawl unfreeze`: nothing goes forward in these scopes; it may again. */
export function addFreeze(program: Command, context: CliContext): void {
  program
    .command('freeze')
    .argument('[scopes...]', 'with all that lies below')
    .description('let nothing go forward, and hold releases in stages where they are')
    .option('--all', 'every root, with all that lies below')
    .requiredOption('--reason <text>', 'why; whoever is refused is told')
    .action(async (scopes: string[], { all, reason = '' }: Flags) => {
      if (reason.trim() === '' || reason.length > MAX_REASON) {
        throw new CliError(`a reason has 1 to ${MAX_REASON} characters`, EXIT.usage);
      }
      const deed = { verb: 'freeze', state: 'frozen', frozen: reason } as const;
      await run(context, await asked(context, scopes, all), { ...deed, message: reason });
    });
  program
    .command('unfreeze')
    .argument('[scopes...]', 'with all that lies below')
    .description('let everything go forward again, except in freezes by the clock')
    .option('--all', 'every root, with all that lies below')
    .option('--reason <text>', 'why, for the history')
    .action(async (scopes: string[], { all, reason = 'the freeze is over' }: Flags) => {
      const deed = { verb: 'unfreeze', state: 'unfrozen', frozen: null } as const;
      await run(context, await asked(context, scopes, all), { ...deed, message: reason });
    });
}

/** The scopes that are meant, and those at or below them that have a policy of their own. */
interface Asked {
  readonly client: AdminClient;
  readonly scopes: readonly string[];
  readonly withPolicy: readonly string[];
  /** Those that were named and have nothing at or below them: misspelled, perhaps. */
  readonly empty: readonly string[];
}

async function asked(
  context: CliContext,
  scopes: readonly string[],
  all: true | undefined,
): Promise<Asked> {
  if ((all === true) === scopes.length > 0) {
    throw new CliError('name the scopes, or say --all', EXIT.usage);
  }
  for (const scope of scopes) {
    const parsed = parseAddress(scope);
    const why = parsed.ok ? 'it names a document' : parsed.message;
    if (parsed.ok && parsed.address.text === parsed.address.scope) continue;
    throw new CliError(`"${scope}" is not a scope: ${why}`, EXIT.usage);
  }
  const client = await context.client();
  const roots = new Set<string>();
  const withPolicy: string[] = [];
  const empty: string[] = [];
  for (const prefix of all === true ? [undefined] : scopes) {
    const within = prefix === undefined ? {} : { prefix };
    let isEmpty = true;
    for await (const { address } of allPages((page) => client.scopes({ ...within, ...page }))) {
      isEmpty = false;
      const parsed = parseAddress(address);
      if (!parsed.ok) continue;
      roots.add(parsed.address.root);
      if (parsed.address.document === POLICY_DOCUMENT) withPolicy.push(parsed.address.scope);
    }
    if (isEmpty && prefix !== undefined) empty.push(prefix);
  }
  return { client, scopes: all === true ? [...roots] : [...new Set(scopes)], withPolicy, empty };
}

/** Does it to each, past those that fail. */
async function run(context: CliContext, on: Asked, deed: Deed): Promise<void> {
  const failed: Failure[] = [];
  const done: FrozenScope[] = [];
  const forPeople = context.format() === 'table';
  await each(on.scopes, async (scope) => {
    try {
      const one = await setFrozen(on.client, scope, deed);
      done.push(one);
      if (forPeople) context.terminal.out(`${doneText(one, deed)}\n`);
    } catch (error) {
      failed.push({ scope, why: reasonOf(error) });
    }
  });
  const still = deed.frozen === null ? await stillFrozen(on, done, failed) : [];
  const [as, not] = split(done, ({ scope }) => !isFrozenBy(scope, still, failed));
  const result = {
    ...{ [deed.state]: as, failed },
    ...(deed.frozen === null ? { frozen: not, still } : {}),
  };
  print(
    ...[context.terminal, context.format(), result],
    () => `${totalText(deed, { as, not, isStill: still.length + failed.length > 0 })}\n`,
  );
  if (forPeople) {
    for (const scope of new Set(on.empty)) {
      context.terminal.err(`note: nothing is known at ${scope} or below: is it spelled so?\n`);
    }
    for (const { address, why } of still) {
      context.terminal.err(`note: ${address} still freezes all below: ${plain(why)}\n`);
    }
  }
  if (failed.length > 0) throw new CliError(failureText(context, deed, failed));
}

interface Freeze {
  /** The policy that has it. */
  readonly address: string;
  readonly why: string;
}

/** The freezes that hold for these scopes, or for something in them, all the same. */
async function stillFrozen(
  { client, withPolicy }: Asked,
  done: readonly FrozenScope[],
  failed: Failure[],
): Promise<Freeze[]> {
  const places = new Set<string>();
  for (const { scope } of done) {
    const segments = scope.split('/');
    for (const at of segments.keys()) places.add(segments.slice(0, at + 1).join('/'));
    for (const below of withPolicy) if (below.startsWith(`${scope}/`)) places.add(below);
  }
  const still = new Map<string, string>();
  await each([...places], async (place) => {
    try {
      const view = await found(client.effective(policyOf(place), { explain: true }));
      const frozen = view?.document?.['frozen'];
      const by = view?.explain?.['/frozen']?.address;
      if (typeof frozen === 'string' && by !== undefined) still.set(by, frozen);
    } catch (error) {
      failed.push({ scope: place, why: `may be frozen still: ${reasonOf(error)}` });
    }
  });
  return [...still].map(([address, why]) => ({ address, why })).sort(byAddress);
}

/** Whether a freeze of its own or above holds a scope, or nobody knows. */
function isFrozenBy(scope: string, still: readonly Freeze[], failed: readonly Failure[]): boolean {
  const places = scope.split('/').map((_, at, all) => all.slice(0, at + 1).join('/'));
  return (
    still.some(({ address }) => places.some((place) => policyOf(place) === address)) ||
    failed.some((one) => places.includes(one.scope))
  );
}

function split<T>(all: readonly T[], isFirst: (one: T) => boolean): [first: T[], other: T[]] {
  return [all.filter(isFirst), all.filter((one) => !isFirst(one))];
}

/** `isStill`: something is frozen all the same, or nobody knows. */
function totalText(
  { state, frozen }: Deed,
  { as, not, isStill }: { as: FrozenScope[]; not: FrozenScope[]; isStill: boolean },
): string {
  const [changed, never] = split(as, ({ version }) => frozen !== null || version !== undefined);
  if (never.length > 0 && changed.length === 0 && !isStill) return 'nothing was frozen there';
  const others = [
    ...(not.length === 0 ? [] : [`${countText(not)} not`]),
    ...(never.length === 0 ? [] : [`${never.length} had no freeze`]),
  ];
  return [`${countText(changed)} ${state}`, ...others].join(', ');
}

function countText({ length }: readonly FrozenScope[]): string {
  return length === 1 ? '1 scope is' : `${length} scopes are`;
}

function byAddress(a: Freeze, b: Freeze): number {
  return a.address < b.address ? -1 : 1;
}

async function each(
  scopes: readonly string[],
  work: (scope: string) => Promise<void>,
): Promise<void> {
  const left = [...scopes];
  const worker = async (): Promise<void> => {
    for (let next = left.shift(); next !== undefined; next = left.shift()) await work(next);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

function doneText({ scope, version, leftOut }: FrozenScope, { state, frozen }: Deed): string {
  if (version === undefined) {
    return frozen === null ? `${scope} has no freeze of its own` : `${scope} is frozen already`;
  }
  const draft =
    leftOut === undefined
      ? ''
      : `; version ${leftOut} of the policy, which was not released, is left out`;
  return `${scope} is ${state}: ${policyOf(scope)} version ${version}${draft}`;
}

function failureText(context: CliContext, { verb, state }: Deed, bad: readonly Failure[]): string {
  const lines = bad.map(({ scope, why }) => `${scope}: ${why}`);
  const again = context.command(
    `${verb} ${bad.map(({ scope }) => scope).join(' ')}${verb === 'freeze' ? ' --reason <text>' : ''}`,
  );
  return [`not ${state}:`, ...lines, `try it for these: ${again}`].join('\n');
}

function reasonOf(error: unknown): string {
  if (error instanceof ProblemError) return problemText(error.problem);
  if (error instanceof UnreachableError) return error.message;
  throw error;
}
