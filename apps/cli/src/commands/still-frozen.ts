import { ProblemError, UnreachableError } from '@pawl/admin-client';
import type { AdminClient } from '@pawl/admin-client';
import { POLICY_DOCUMENT } from '@pawl/contracts';
import type { Freeze } from '@pawl/contracts';
import type { CliContext } from '../context.js';
import { plain } from '../output.js';
import { problemText } from '../problem-text.js';
import { atOnce } from './at-once.js';
import { found } from './found.js';
import { policyOf } from './set-frozen.js';

/** A freeze that holds all the same. */
export interface StillFrozen extends Pick<Freeze, 'until' | 'byClock'> {
  /** The policy that has it. */
  readonly address: string;
  readonly why: string;
}

/** A scope of which something failed. */
export interface Failure {
  readonly scope: string;
  readonly why: string;
  /** The policy that has to be enabled first. */
  readonly enable?: string;
}

export interface Still {
  /** By address. */
  readonly still: readonly StillFrozen[];
  /** Places of which nobody can tell. */
  readonly unknown: readonly Failure[];
}

/** As many as a page has: the first that is no policy is asked. */
const PROBES = 1_000;

/**
 * The freezes, set by somebody or by the clock, that hold for these scopes or for something in them.
 * `withPolicy`: the scopes in them that have a policy of their own.
 */
export async function stillFrozen(
  client: AdminClient,
  scopes: readonly string[],
  withPolicy: readonly string[],
): Promise<Still> {
  const places = new Set<string>();
  for (const scope of scopes) {
    for (const place of wayTo(scope)) places.add(place);
    for (const below of withPolicy) if (below.startsWith(`${scope}/`)) places.add(below);
  }
  const still = new Map<string, StillFrozen>();
  const unknown: Failure[] = [];
  await atOnce([...places], async (place) => {
    try {
      for (const one of await freezesAt(client, place)) still.set(JSON.stringify(one), one);
    } catch (error) {
      unknown.push({ scope: place, why: `may be frozen still: ${reasonOf(error)}` });
    }
  });
  return { still: [...still.values()].sort(byAddress), unknown };
}

/** Whether a freeze of its own or above holds a scope. */
export function isFrozenBy(scope: string, still: readonly StillFrozen[]): boolean {
  const policies = wayTo(scope).map(policyOf);
  return still.some(({ address }) => policies.includes(address));
}

/** Whether nobody can tell of a scope. */
export function isUnknown(scope: string, unknown: readonly Failure[]): boolean {
  const places = wayTo(scope);
  return unknown.some((one) => places.includes(one.scope));
}

/** A freeze that holds all the same, in a line, with where a time by the clock is written. */
export function stillText(
  context: CliContext,
  { address, why, until, byClock }: StillFrozen,
): string {
  const end = until === undefined ? '' : ` until ${until}`;
  if (byClock !== true) return plain(`${address} still freezes all below: ${why}`);
  const times = `its times are in \`freezes\` there: ${context.command(`config get ${address}`)}`;
  return plain(`${address} still freezes all below, by the clock${end}: ${why}; ${times}`);
}

/** Why it was refused, or nobody answered; anything else is thrown on. */
export function reasonOf(error: unknown): string {
  if (error instanceof ProblemError) return problemText(error.problem);
  if (error instanceof UnreachableError) return error.message;
  throw error;
}

async function freezesAt(client: AdminClient, place: string): Promise<StillFrozen[]> {
  const view = await found(client.effective(policyOf(place), { explain: true }));
  const { frozen, freezes } = view?.document ?? {};
  const by = view?.explain?.['/frozen']?.address;
  const set = typeof frozen === 'string' && by !== undefined ? [{ address: by, why: frozen }] : [];
  if (freezes === undefined || (Array.isArray(freezes) && freezes.length === 0)) return set;
  const now = await freezeNow(client, place);
  if (now?.byClock !== true || !wayTo(place).includes(now.scope)) return set;
  const { scope, reason, until } = now;
  const end = until === undefined ? {} : { until };
  return [...set, { address: policyOf(scope), why: reason, ...end, byClock: true }];
}

/** Whether a time by the clock is now only the control plane tells, of what is there to be released. */
async function freezeNow(client: AdminClient, place: string): Promise<Freeze | undefined> {
  const { items } = await client.scopes({ prefix: place, limit: PROBES });
  const there = items.find(({ address }) => !address.endsWith(`:${POLICY_DOCUMENT}`));
  if (there === undefined) return undefined;
  return (await found(client.getRelease(there.address)))?.frozen;
}

/** The scopes from the root down to this one. */
function wayTo(scope: string): string[] {
  return scope.split('/').map((_, at, all) => all.slice(0, at + 1).join('/'));
}

function byAddress(a: StillFrozen, b: StillFrozen): number {
  return a.address < b.address ? -1 : 1;
}
