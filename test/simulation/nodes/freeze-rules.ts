import { parseAddress } from '@pawl/contracts';
import type { AddressText, JsonObject, JsonValue } from '@pawl/contracts';
import type { KeptTruth } from './kept-truth.js';
import { layersAt } from './pin-rules.js';

/** What goes forward, and is stopped by a freeze. */
export const FORWARD: ReadonlySet<string> = new Set([
  ...['promote', 'advance', 'skip', 'resume', 'enable', 'unpin'],
]);

const POLICY = 'release-policy';

/** A freeze from one time up to another; of both the same: never. */
interface Window {
  readonly reason: string;
  readonly since: string;
  readonly until: string;
}

/** All of a time when it may have been judged, by any wall clock that may have judged it. */
export interface Span {
  readonly fromMs: number;
  readonly toMs: number;
}

/**
 * Why nothing goes forward at an address for the whole of a time, by what PostgreSQL holds: a policy above
 * it, or below where it reaches, that says so; undefined: perhaps nothing.
 */
export function frozenAt(truth: KeptTruth, at: AddressText, span: Span): string | undefined {
  const own = scopeOf(at);
  if (own.document === POLICY) return undefined;
  for (const address of truth.addresses) {
    const { scope, document } = scopeOf(address);
    if (document !== POLICY) continue;
    const isBelow = isWithin(scope, own.scope) && !isKept(truth, scope, at);
    if (!isWithin(own.scope, scope) && !isBelow) continue;
    const why = freezeIn(policyAt(truth, address), span);
    if (why !== undefined) return why;
  }
  return undefined;
}

/** Whether a scope has a version of this layer whatever is released of that. */
function isKept(truth: KeptTruth, scope: string, at: AddressText): boolean {
  const place = parseAddress(`${scope}:${scopeOf(at).document}`);
  if (!place.ok) return false;
  const layers = layersAt(truth, place.address.text);
  return layers.some(({ address, kept }) => address === at && kept !== undefined);
}

/** Whether the policy of a scope has a freeze, at whatever time. */
export function isFreezing(truth: KeptTruth, at: AddressText): boolean {
  const { frozen, freezes } = policyAt(truth, at);
  return typeof frozen === 'string' || windowsOf(freezes).some(({ since, until }) => since < until);
}

/** The policy of a scope with what it inherits. */
function policyAt(truth: KeptTruth, at: AddressText): JsonObject {
  let policy: JsonObject = {};
  for (const [address, { state, stableVersion }] of truth.path(at)) {
    if (state === 'disabled' || stableVersion === null) continue;
    policy = { ...policy, ...truth.of(address).definitions[stableVersion - 1]?.document };
  }
  return policy;
}

function freezeIn({ frozen, freezes }: JsonObject, { fromMs, toMs }: Span): string | undefined {
  if (typeof frozen === 'string') return frozen;
  return windowsOf(freezes).find(
    ({ since, until }) => Date.parse(since) <= fromMs && Date.parse(until) > toMs,
  )?.reason;
}

function windowsOf(freezes: JsonValue | undefined): readonly Window[] {
  return (freezes ?? []) as unknown as readonly Window[];
}

function isWithin(scope: string, above: string): boolean {
  return scope === above || scope.startsWith(`${above}/`);
}

function scopeOf(at: AddressText): { readonly scope: string; readonly document: string } {
  const parsed = parseAddress(at);
  if (!parsed.ok) throw new Error(parsed.message);
  return parsed.address;
}
