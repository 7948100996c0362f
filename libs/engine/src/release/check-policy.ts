import { canonicalize, isJsonObject } from '@pawl/contracts';
import type { JsonObject, JsonValue, ProblemError, ReleasePolicy } from '@pawl/contracts';
import { policyFaults } from '@pawl/domain';

/**
 * What of an effective policy that satisfies its schema could not be released by. What is read there
 * already does not count: nobody is kept by it from freezing a scope.
 */
export function checkPolicy(of: {
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
  return faults.map(({ pointer, strategy, message }) => {
    const said = layers.filter((layer) => isJsonObject(strategyIn(layer, strategy)));
    const isMixed = pointer !== '/demand' && said.length > 1;
    const mixed = '; policies above say a part of it: "$pawl": "replace" in it takes none of that';
    return { address, pointer, message: isMixed ? message + mixed : message };
  });
}

function strategyIn(policy: JsonObject | null, name: string): JsonValue | undefined {
  const strategies = policy?.['strategies'];
  if (!isJsonObject(strategies) || !Object.hasOwn(strategies, name)) return undefined;
  return strategies[name];
}

function bytes(value: unknown): string {
  return value === undefined ? '' : canonicalize(value as JsonValue);
}
