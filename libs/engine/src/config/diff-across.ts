import { done } from '@pawl/contracts';
import type { Address, DiffView, JsonObject, JsonValue, Outcome } from '@pawl/contracts';
import type { ConfigEngine } from '../config-engine.js';
import { diffJson } from './diff-json.js';

/** One side of a comparison: a definition version, the newest unless told. */
export interface DiffSide {
  readonly address: Address;
  readonly version?: number;
}

/** What differs from the one document to the other, whoever owns them. */
export async function diffAcross(
  engine: Pick<ConfigEngine, 'getConfig'>,
  from: DiffSide,
  to: DiffSide,
): Promise<Outcome<DiffView>> {
  const [before, after] = await Promise.all([
    engine.getConfig(from.address, from.version),
    engine.getConfig(to.address, to.version),
  ]);
  if (!before.ok) return before;
  if (!after.ok) return after;
  return done({
    from: before.value.version,
    to: after.value.version,
    patch: diffJson(before.value.document as JsonValue, after.value.document as JsonValue),
    with: to.address.text,
  });
}

/** The same of what is read there; `{}` where nothing is. */
export async function diffEffective(
  engine: Pick<ConfigEngine, 'getEffective'>,
  from: Address,
  to: Address,
): Promise<Outcome<DiffView>> {
  const [before, after] = await Promise.all([
    engine.getEffective(from, { explain: false }),
    engine.getEffective(to, { explain: false }),
  ]);
  if (!before.ok) return before;
  if (!after.ok) return after;
  const document = (view: typeof before.value): JsonObject => (view.document ?? {}) as JsonObject;
  return done({
    from: before.value.snapshotVersion,
    to: after.value.snapshotVersion,
    patch: diffJson(document(before.value), document(after.value)),
    with: to.text,
    effective: true,
  });
}
