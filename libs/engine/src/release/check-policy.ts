import { canonicalize, isJsonObject } from '@pawl/contracts';
import type {
  FreezeWindow,
  JsonObject,
  JsonValue,
  ProblemError,
  ReleasePolicy,
} from '@pawl/contracts';
import { policyFaults } from '@pawl/domain';
import type { EngineContext } from '../engine-context.js';
import { isKnownZone } from './freeze-window.js';

/**
 * What of an effective policy that satisfies its schema could not be released by, and freezes whose reason,
 * time zone or times do not say what is meant. What is read there already does not count: nobody is kept by it from freezing
 * a scope.
 */
export function checkPolicy(of: {
  readonly parseTime: EngineContext['parseTime'];
  readonly address: string;
  readonly policy: ReleasePolicy;
  /** What is read there now; `null`: nothing. */
  readonly before: JsonObject | null;
  /** The documents that it is merged from. */
  readonly layers: readonly JsonObject[];
}): ProblemError[] {
  const { address, policy, before, layers } = of;
  const stood = (strategy: string): boolean =>
    bytes(strategyIn(before, strategy)) === bytes(policy.strategies?.[strategy]);
  const faults = policyFaults(policy).filter(({ pointer, strategy }) => {
    const isAsBefore = pointer !== '/demand' || before?.['demand'] === policy.demand;
    return before === null || !isAsBefore || !stood(strategy);
  });
  const ofStrategies = faults.map(({ pointer, strategy, message }) => {
    const said = layers.filter((layer) => isJsonObject(strategyIn(layer, strategy)));
    const isMixed = pointer !== '/demand' && said.length > 1;
    const mixed = '; policies above say a part of it: "$pawl": "replace" in it takes none of that';
    return { address, pointer, message: isMixed ? message + mixed : message };
  });
  // What a policy above says is a fault there.
  const isNew = (key: 'frozen' | 'freezes'): boolean =>
    layers.at(-1)?.[key] !== undefined && bytes(before?.[key]) !== bytes(policy[key]);
  const { frozen, freezes = [] } = policy;
  const isBlank = isNew('frozen') && typeof frozen === 'string' && frozen.trim() === '';
  const ofFrozen = isBlank ? [{ address, pointer: '/frozen', message: NO_REASON }] : [];
  const ofFreezes = (isNew('freezes') ? freezes : []).flatMap((window, at) => {
    const fault = faultOfWindow(window, of.parseTime);
    if (fault === undefined) return [];
    return [{ address, pointer: `/freezes/${at}/${fault.key}`, message: fault.message }];
  });
  return [...ofStrategies, ...ofFrozen, ...ofFreezes];
}

const NO_REASON = 'a freeze needs a reason that is not blank: write one such as "incident 12"';

/**
 * A time that cannot be read would be neither before now nor after it, and a time zone that nobody knows has
 * none: a freeze without an end.
 */
function faultOfWindow(
  { reason, since, until, timeZone }: FreezeWindow,
  parseTime: EngineContext['parseTime'],
): { readonly key: string; readonly message: string } | undefined {
  if (reason.trim() === '') return { key: 'reason', message: NO_REASON };
  if (timeZone !== undefined && !isKnownZone(timeZone)) {
    const message = `${timeZone} is no time zone that is known: write it as Europe/Berlin, or UTC`;
    return { key: 'timeZone', message };
  }
  for (const [key, text] of Object.entries({ since, until })) {
    if (text === undefined || !Number.isNaN(parseTime(text))) continue;
    return { key, message: `${text} is no time that is known: write it as 2026-12-01T03:00:00Z` };
  }
  if (since === undefined || until === undefined || parseTime(since) < parseTime(until)) {
    return undefined;
  }
  return { key: 'until', message: `${until} is not after ${since}: nothing would be frozen` };
}

function strategyIn(policy: JsonObject | null, name: string): JsonValue | undefined {
  const strategies = policy?.['strategies'];
  if (!isJsonObject(strategies) || !Object.hasOwn(strategies, name)) return undefined;
  return strategies[name];
}

function bytes(value: unknown): string {
  return value === undefined ? '' : canonicalize(value as JsonValue);
}
