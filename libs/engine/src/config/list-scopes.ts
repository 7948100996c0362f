import { done } from '@pawl/contracts';
import type { Outcome, Page, ScopeView } from '@pawl/contracts';
import type { PageQuery } from '../config-engine.js';
import { truthUnavailable } from '../sharding/refusals.js';
import { TruthUnavailableError } from '../sharding/truth-store.port.js';
import type { TruthStore } from '../sharding/truth-store.port.js';
import { badCursor } from './read-definitions.js';

const CURSOR = /^[a-z0-9/:_-]{1,600}$/;

/** Every known address, whoever owns it: read from the truth itself, on any node. */
export async function listScopes(
  truth: TruthStore,
  { limit, cursor, prefix }: PageQuery & { readonly prefix?: string },
): Promise<Outcome<Page<ScopeView>>> {
  if (cursor !== undefined && !CURSOR.test(cursor)) return badCursor();
  try {
    const found = await truth.readInventory({
      limit: limit + 1,
      ...(cursor === undefined ? {} : { after: cursor }),
      ...(prefix === undefined ? {} : { within: prefix }),
    });
    const items = found.slice(0, limit);
    const last = items.at(-1);
    return done(found.length > limit && last ? { items, next: last.address } : { items });
  } catch (error) {
    if (error instanceof TruthUnavailableError) return truthUnavailable();
    throw error;
  }
}
