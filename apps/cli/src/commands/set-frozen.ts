import { ProblemError } from '@pawl/admin-client';
import type { AdminClient } from '@pawl/admin-client';
import { POLICY_DOCUMENT, problem, problemDocument } from '@pawl/contracts';
import type { JsonObject } from '@pawl/contracts';
import { found } from './found.js';

/** What has been done to a scope. */
export interface FrozenScope {
  readonly scope: string;
  /** Version of its policy that is released now; left out where nothing had to be changed. */
  readonly version?: number;
  /** A later version of the policy that was written and not released before: it is still not. */
  readonly leftOut?: number;
}

/** Nothing can be frozen in this policy before it is enabled. */
export class DisabledPolicyError extends ProblemError {
  constructor(readonly address: string) {
    const detail = `${address} is disabled, so nothing in it freezes: enable it first`;
    super(problemDocument(problem('invalid-transition', detail)));
  }
}

/** The address of the policy of a scope. */
export function policyOf(scope: string): string {
  return `${scope}:${POLICY_DOCUMENT}`;
}

/**
 * Freezes a scope, or with `null` ends that, in its own release policy: the released one, with nothing
 * else changed. A problem is thrown, also where that is disabled, so that nothing in it would freeze.
 */
export async function setFrozen(
  client: AdminClient,
  scope: string,
  { frozen, message }: { readonly frozen: string | null; readonly message: string },
): Promise<FrozenScope> {
  const address = policyOf(scope);
  const newest = await found(client.getConfig(address));
  const release = await found(client.getRelease(address));
  if (release?.state === 'disabled') {
    if (frozen === null) return { scope };
    throw new DisabledPolicyError(address);
  }
  const stable = release?.stableVersion ?? null;
  const isReleased = newest === undefined || newest.version === stable;
  const released = stable === null || isReleased ? newest : await client.getConfig(address, stable);
  const document = stable === null ? {} : (released?.document ?? {});
  const { frozen: before, ...rest } = document as JsonObject;
  if (frozen === null ? typeof before !== 'string' : before === frozen) return { scope };
  const next = frozen === null ? rest : { ...rest, frozen };
  const expect = newest?.version ?? 'none';
  const { version } = await client.putConfig(address, { json: next }, { expect, message });
  await client.release(address, { action: 'promote', targetVersion: version, reason: message });
  return { scope, version, ...(isReleased ? {} : { leftOut: newest.version }) };
}
