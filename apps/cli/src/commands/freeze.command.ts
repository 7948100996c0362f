import type { AdminClient } from '@pawl/admin-client';
import { parseAddress, POLICY_DOCUMENT } from '@pawl/contracts';
import type { Command } from 'commander';
import type { CliContext } from '../context.js';
import { CliError, EXIT } from '../exit-codes.js';
import { print } from '../output.js';
import { allPages } from './all-pages.js';
import { atOnce } from './at-once.js';
import { DisabledPolicyError, policyOf, setFrozen } from './set-frozen.js';
import type { FrozenScope } from './set-frozen.js';
import { isFrozenBy, isUnknown, reasonOf, stillFrozen, stillText } from './still-frozen.js';
import type { Failure, StillFrozen } from './still-frozen.js';

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
  await atOnce(on.scopes, async (scope) => {
    try {
      const one = await setFrozen(on.client, scope, deed);
      done.push(one);
      if (forPeople && deed.frozen !== null) context.terminal.out(`${frozenText(one)}\n`);
    } catch (error) {
      const enable = error instanceof DisabledPolicyError ? { enable: error.address } : {};
      failed.push({ scope, why: reasonOf(error), ...enable });
    }
  });
  const still = deed.frozen === null ? await tellStill(context, { on, done, failed }) : [];
  const [as, not] = split(done, (one) => stateOf(one, still, failed) === 'free');
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
    for (const one of still) context.terminal.err(`note: ${stillText(context, one)}\n`);
  }
  if (failed.length > 0) throw new CliError(failureText(context, deed, failed));
}

/** What still freezes what was unfrozen, once each of that is told; to `failed` goes of what nobody knows. */
async function tellStill(
  context: CliContext,
  { on, done, failed }: { on: Asked; done: readonly FrozenScope[]; failed: Failure[] },
): Promise<readonly StillFrozen[]> {
  const scopes = done.map(({ scope }) => scope);
  const { still, unknown } = await stillFrozen(on.client, scopes, on.withPolicy);
  failed.push(...unknown);
  if (context.format() !== 'table') return still;
  for (const one of done) {
    context.terminal.out(`${unfrozenText(one, stateOf(one, still, failed))}\n`);
  }
  return still;
}

/** As a scope is once its own freeze is lifted. */
type After = 'free' | 'frozen' | 'unknown';

function stateOf(
  { scope }: FrozenScope,
  still: readonly StillFrozen[],
  failed: readonly Failure[],
): After {
  if (isFrozenBy(scope, still)) return 'frozen';
  return isUnknown(scope, failed) ? 'unknown' : 'free';
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

function frozenText(one: FrozenScope): string {
  const { scope } = one;
  return one.version === undefined
    ? `${scope} is frozen already`
    : `${scope} is frozen: ${policyText(one)}`;
}

function unfrozenText(one: FrozenScope, after: After): string {
  const { scope, version } = one;
  const isStill = after === 'frozen' ? `${scope} is frozen still` : scope;
  if (version !== undefined) {
    if (after === 'free') return `${scope} is unfrozen: ${policyText(one)}`;
    return `${isStill}: the freeze that was set there is lifted, ${policyText(one)}`;
  }
  return after === 'frozen'
    ? `${isStill}: no freeze was set there by hand`
    : `${scope} has no freeze of its own`;
}

function policyText({ scope, version, leftOut }: FrozenScope): string {
  const draft =
    leftOut === undefined
      ? ''
      : `; version ${leftOut} of the policy, which was not released, is left out`;
  return `${policyOf(scope)} version ${version ?? '?'}${draft}`;
}

function failureText(context: CliContext, { verb, state }: Deed, bad: readonly Failure[]): string {
  const lines = bad.map(({ scope, why }) => `${scope}: ${why}`);
  const again = context.command(
    `${verb} ${bad.map(({ scope }) => scope).join(' ')}${verb === 'freeze' ? " --reason 'why'" : ''}`,
  );
  const first = bad.flatMap(({ enable }) =>
    enable === undefined ? [] : [`enable it first: ${context.command(`enable ${enable}`)}`],
  );
  return [`not ${state}:`, ...lines, ...first, `try it for these: ${again}`].join('\n');
}
