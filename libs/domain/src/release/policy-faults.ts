import { joinPointer, STRATEGY_NAMES } from '@pawl/contracts';
import type { ReleasePolicy } from '@pawl/contracts';
import { ALL_AT_ONCE, resolveStrategy } from './resolve-strategy.js';

/** What is wrong at a place of a policy. */
export interface PolicyFault {
  /** JSON Pointer. */
  readonly pointer: string;
  /** The strategy that it is of. */
  readonly strategy: string;
  readonly message: string;
}

/**
 * What of a policy that has the shape of one could not be released by: strategies that do not fit
 * together, and a demand of what is none, or has no stages.
 */
export function policyFaults({ strategies = {}, demand }: ReleasePolicy): PolicyFault[] {
  const faults = Object.entries(strategies).flatMap(([strategy, options]): PolicyFault[] => {
    const resolved = resolveStrategy(options);
    if (resolved.ok) return [];
    const pointer = joinPointer('/strategies', strategy);
    return [{ pointer, strategy, message: resolved.problem.detail }];
  });
  if (typeof demand !== 'string' || demand === ALL_AT_ONCE) return faults;
  const message = faultOfDemand(strategies, demand);
  return message === undefined
    ? faults
    : [...faults, { pointer: '/demand', strategy: demand, message }];
}

/** The names that `--strategy` takes under a policy, its own first. */
export function knownStrategies({ strategies = {} }: ReleasePolicy): string {
  return [...new Set([...Object.keys(strategies), ...STRATEGY_NAMES])].join(', ');
}

/** A strategy of the policy that does not fit together is a fault of its own place. */
function faultOfDemand(
  strategies: NonNullable<ReleasePolicy['strategies']>,
  demand: string,
): string | undefined {
  const isOwn = Object.hasOwn(strategies, demand);
  const resolved = resolveStrategy(isOwn ? strategies[demand] : demand);
  if (!resolved.ok) {
    if (isOwn) return undefined;
    const known = knownStrategies({ strategies });
    return `there is no strategy "${demand}": demand one of ${known}, or write it under strategies`;
  }
  if ((resolved.value?.stages.length ?? 0) > 1) return undefined;
  return `"${demand}" reaches everybody at once: demand a strategy that has stages`;
}
