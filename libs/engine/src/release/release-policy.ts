import {
  canonicalize,
  freezeText,
  isFrozenBelow,
  parseAddress,
  POLICY_DOCUMENT,
  refused,
  releasePolicySchema,
} from '@pawl/contracts';
import type {
  Address,
  Freeze,
  FreezeWindow,
  JsonValue,
  Outcome,
  PolicyVersion,
  ReleasePolicy,
  ReleaseRequest,
} from '@pawl/contracts';
import { ALL_AT_ONCE } from '@pawl/domain';
import type { QueuedRelease, SchemaRef } from '@pawl/domain';
import type { EngineContext } from '../engine-context.js';
import { stableDocument } from '../sharding/root-tree.js';
import type { AddressNode, RootTree } from '../sharding/root-tree.js';
import { layerOnWay, wayDown } from '../sharding/way-down.js';
import { isInWindow } from './freeze-window.js';
import { endOfWindows } from './freeze-window-end.js';
import { noteOther, takeStrategy } from './take-strategy.js';
import type { PolicedRequest, PolicyHere, Promote } from './take-strategy.js';

/** What goes forward, and so is stopped by a freeze. */
const FORWARD: ReadonlySet<string> = new Set([
  ...['promote', 'advance', 'skip', 'resume', 'enable'],
]);

/** The schema that every effective release policy satisfies; `null` for other documents. */
export function policySchemaOf(
  { sha256 }: Pick<EngineContext, 'sha256'>,
  { document }: Address,
): SchemaRef | null {
  if (document !== POLICY_DOCUMENT) return null;
  const schema = releasePolicySchema as unknown as JsonValue;
  return { hash: sha256(canonicalize(schema)), schema };
}

/** The policy that an address is released by: that of the nearest scope at or above it. */
function policyOf(tree: RootTree, address: Address): ReleasePolicy {
  return policiesOf(tree, address).at(-1) ?? {};
}

/** That policy, with what it demands and the highest scope that says so for it. */
function policyHere(tree: RootTree, address: Address): PolicyHere {
  const nodes = policyNodes(tree, address, 'path');
  const demands = nodes.map((node) => asPolicy(node).demand);
  const last = nodes.at(-1);
  if (last === undefined) return { policy: {} };
  const policy = asPolicy(last);
  const { demand: name } = policy;
  if (typeof name !== 'string' || name === ALL_AT_ONCE) return { policy };
  const by = nodes[demands.findLastIndex((demand) => demand !== name) + 1] ?? last;
  return { policy, demand: { name, by: by.address.text } };
}

/** What of the document at an address a merge leaves as it is: JSON Pointers. */
export function localPointers(tree: RootTree, address: Address): string[] {
  const { local } = policyOf(tree, address);
  const own =
    local !== undefined && Object.hasOwn(local, address.document) && local[address.document];
  return Object.entries(own || {}).flatMap(([pointer, isLocal]) => (isLocal ? [pointer] : []));
}

/** Those of all scopes on the way from the root down, each with what it inherits. */
function policiesOf(tree: RootTree, address: Address): ReleasePolicy[] {
  return policyNodes(tree, address, 'path').map(asPolicy);
}

function policyNodes(tree: RootTree, address: Address, where: 'path' | 'below'): AddressNode[] {
  // A policy is not released by itself: it could lock itself.
  if (address.document === POLICY_DOCUMENT) return [];
  const parsed = parseAddress(`${address.scope}:${POLICY_DOCUMENT}`);
  return parsed.ok ? tree[where](parsed.address) : [];
}

/** What a policy says. A document of another shape, older than policies are, freezes: nobody knows better. */
function asPolicy(node: AddressNode): ReleasePolicy {
  const document: ReleasePolicy = stableDocument(node) ?? {};
  const { freezes = [], strategies = {} } = document;
  const isShaped = Array.isArray(freezes) && typeof strategies === 'object';
  if (isShaped) return document;
  return { frozen: `${node.address.text} is no release policy: write and promote one` };
}

/** What asks for the time, and writes it. */
type Times = Pick<EngineContext, 'clock' | 'parseTime' | 'formatTime'>;

/** A time by the wall clock, and what policies say of it by that: what scopes inherit is worked out once. */
interface Moment {
  readonly nowMs: number;
  readonly parseTime: Times['parseTime'];
  readonly held: Map<readonly FreezeWindow[], FreezeWindow | undefined>;
}

function momentOf({ clock, parseTime }: Times): Moment {
  return { nowMs: clock.wallMs(), parseTime, held: new Map() };
}

/**
 * What lets nothing go forward at an address at this time, without its end; `undefined`: it may. Whoever
 * freezes a scope freezes what lies below it, whatever the policies there say, and what comes to it from
 * above: nothing comes of a layer that is pinned there. Of several it is that of the highest scope.
 */
function freezeAt(moment: Moment, tree: RootTree, address: Address): Freeze | undefined {
  for (const node of policyNodes(tree, address, 'path')) {
    const freeze = freezeOf(moment, node);
    if (freeze !== undefined) return freeze;
  }
  for (const node of policyNodes(tree, address, 'below')) {
    const freeze = freezeOf(moment, node);
    if (freeze === undefined || keeps(tree, freeze.scope, address)) continue;
    return freeze;
  }
  return undefined;
}

/** The same with its end, where that is known. */
function boundedFreezeAt(times: Times, tree: RootTree, address: Address): Freeze | undefined {
  const moment = momentOf(times);
  const freeze = freezeAt(moment, tree, address);
  if (freeze?.byClock !== true) return freeze;
  const endMs = freezeEnd(moment, tree, address);
  return endMs === undefined ? freeze : { ...freeze, until: times.formatTime(endMs) };
}

/**
 * When nothing freezes an address any more, as all policies that may stand now, by the wall clock,
 * milliseconds; `undefined`: not known.
 */
function freezeEnd(moment: Moment, tree: RootTree, address: Address): number | undefined {
  const all = new Set<readonly FreezeWindow[]>();
  const nodes = (['path', 'below'] as const).flatMap((where) => policyNodes(tree, address, where));
  for (const node of nodes) {
    const { frozen, freezes = [] } = asPolicy(node);
    const isFrozen = typeof frozen === 'string';
    if (!isFrozen && (freezes.length === 0 || all.has(freezes))) continue;
    const { scope } = node.address;
    if (isFrozenBelow({ scope }, address.scope) && keeps(tree, scope, address)) continue;
    if (isFrozen) return undefined;
    all.add(freezes);
  }
  return endOfWindows([...all].flat(), moment.nowMs, moment.parseTime);
}

/** The same as a view has it; nothing where it may. */
export function frozenView(
  times: Times,
  tree: RootTree,
  address: Address,
): { readonly frozen?: Freeze } {
  const frozen = boundedFreezeAt(times, tree, address);
  return frozen === undefined ? {} : { frozen };
}

/** Why nothing goes forward at an address at this time, in words; `undefined`: it may. */
export function frozenFor(times: Times, tree: RootTree, address: Address): string | undefined {
  const freeze = freezeAt(momentOf(times), tree, address);
  if (freeze === undefined) return undefined;
  const { scope, reason } = freeze;
  return isFrozenBelow(freeze, address.scope)
    ? `${reason} (of ${scope}, which this reaches)`
    : reason;
}

/** Whether a scope is kept at a version of an address above: what is released there does not come to it. */
function keeps(tree: RootTree, scope: string, { text, document }: Address): boolean {
  const parsed = parseAddress(`${scope}:${document}`);
  return parsed.ok && tree.path(parsed.address).some(({ pinned }) => pinned.has(text));
}

/** The freeze that a policy has then. */
function freezeOf({ nowMs, parseTime, held }: Moment, node: AddressNode): Freeze | undefined {
  const { scope } = node.address;
  const { frozen, freezes = [] } = asPolicy(node);
  if (typeof frozen === 'string') return { scope, reason: frozen };
  if (!held.has(freezes)) {
    const window = freezes.find((one) => isInWindow(one, nowMs, parseTime));
    held.set(freezes, window);
  }
  const reason = held.get(freezes)?.reason;
  return reason === undefined ? undefined : { scope, reason, byClock: true };
}

/** Where something is released, and what was queued where it begins that. */
interface PromotePlace {
  readonly tree: RootTree;
  readonly address: Address;
  readonly begins?: QueuedRelease | undefined;
}

/**
 * The request with the policy's strategy; refused while frozen, but what `isForLater`, and without a strategy
 * that is demanded.
 */
export function judgePolicy(
  context: Times,
  place: PromotePlace & { readonly isForLater?: boolean },
  request: ReleaseRequest,
): Outcome<PolicedRequest> {
  const { tree, address, begins } = place;
  const goesForward = FORWARD.has(request.action) && place.isForLater !== true;
  const frozen = goesForward ? judgeFreeze(context, place, request) : undefined;
  if (frozen !== undefined) return frozen;
  if (request.action !== 'promote') return { ok: true, value: { request } };
  const taken = takeStrategy(policyHere(tree, address), promoteBy(request, begins));
  if (!taken.ok || taken.value.strategyName === undefined) return taken;
  const policyVersion = policyVersionOf(tree, address, taken.value.strategyName);
  return { ok: true, value: { ...taken.value, ...(policyVersion && { policyVersion }) } };
}

/** The lowest policy on the way to an address that says something of a strategy of this name. */
function policyVersionOf(
  tree: RootTree,
  address: Address,
  name: string,
): PolicyVersion | undefined {
  for (const layer of wayDown(policyNodes(tree, address, 'path')).toReversed()) {
    const definition = layerOnWay(layer, new Set());
    const strategies = definition?.document?.value['strategies'];
    const isThere = typeof strategies === 'object' && strategies !== null;
    if (!isThere || !Object.hasOwn(strategies, name) || definition === null) continue;
    return { address: layer.node.address.text, version: definition.version };
  }
  return undefined;
}

/** The request with a reason that says so where it promotes by another strategy than is demanded. */
export function withOtherNoted(
  { tree, address, begins }: PromotePlace,
  request: ReleaseRequest,
): ReleaseRequest {
  if (request.action !== 'promote') return request;
  return noteOther(policyHere(tree, address), promoteBy(request, begins));
}

function promoteBy(request: ReleaseRequest, begins: QueuedRelease | undefined): Promote {
  return begins === undefined ? { request } : { request, begins };
}

/** Refuses what goes forward while an address is frozen, and has no exception. */
export function judgeFreeze(
  times: Times,
  { tree, address }: { readonly tree: RootTree; readonly address: Address },
  { freezeException = '' }: Pick<ReleaseRequest, 'freezeException'>,
): Outcome<never> | undefined {
  if (freezeException.trim() !== '') return undefined;
  const freeze = boundedFreezeAt(times, tree, address);
  if (freeze === undefined) return undefined;
  return refused(
    'frozen',
    `${address.text} is ${freezeText(freeze, address.scope)}; wait, or say why this must go out now: with ` +
      '--freeze-exception, in a request as freezeException. Rollback, abort and disable are never frozen',
  );
}
