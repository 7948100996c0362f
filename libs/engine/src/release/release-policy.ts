import {
  canonicalize,
  parseAddress,
  POLICY_DOCUMENT,
  refused,
  releasePolicySchema,
  WEEKDAYS,
} from '@pawl/contracts';
import type {
  Address,
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

/**
 * Why nothing goes forward at an address at this time; `undefined`: it may. Whoever freezes a scope
 * freezes what lies below it, whatever the policies there say, and what comes to it from above: nothing
 * comes of a layer that is pinned there.
 */
export function frozenFor(
  { clock, parseTime }: Pick<EngineContext, 'clock' | 'parseTime'>,
  tree: RootTree,
  address: Address,
): string | undefined {
  const nowMs = clock.wallMs();
  const here = policiesOf(tree, address).flatMap((policy) => frozenBy(policy, nowMs, parseTime));
  if (here[0] !== undefined) return here[0];
  for (const node of policyNodes(tree, address, 'below')) {
    const [reason] = frozenBy(asPolicy(node), nowMs, parseTime);
    const { scope } = node.address;
    if (reason === undefined || keeps(tree, scope, address)) continue;
    return `${reason} (of ${scope}, which this reaches)`;
  }
  return undefined;
}

/** Whether a scope is kept at a version of an address above: what is released there does not come to it. */
function keeps(tree: RootTree, scope: string, { text, document }: Address): boolean {
  const parsed = parseAddress(`${scope}:${document}`);
  return parsed.ok && tree.path(parsed.address).some(({ pinned }) => pinned.has(text));
}

function frozenBy(
  { frozen, freezes = [] }: ReleasePolicy,
  nowMs: number,
  parseTime: EngineContext['parseTime'],
): string[] {
  if (typeof frozen === 'string') return [frozen];
  const window = freezes.find((one) => isIn(one, nowMs, parseTime));
  return window === undefined ? [] : [window.reason];
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
  context: Pick<EngineContext, 'clock' | 'parseTime'>,
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
  context: Pick<EngineContext, 'clock' | 'parseTime'>,
  { tree, address }: { readonly tree: RootTree; readonly address: Address },
  { freezeException = '' }: Pick<ReleaseRequest, 'freezeException'>,
): Outcome<never> | undefined {
  const frozen = frozenFor(context, tree, address);
  if (frozen === undefined || freezeException.trim() !== '') return undefined;
  return refused(
    'frozen',
    `${address.text} is frozen: ${frozen}; wait, or say why this must go out now: with ` +
      '--freeze-exception, in a request as freezeException. Rollback, abort and disable are never frozen',
  );
}

function isIn(window: FreezeWindow, nowMs: number, parseTime: EngineContext['parseTime']): boolean {
  const { since, until, days, from = '00:00', to = '24:00', timeZone = 'UTC' } = window;
  if (since !== undefined && nowMs < parseTime(since)) return false;
  if (until !== undefined && nowMs >= parseTime(until)) return false;
  if (days === undefined && window.from === undefined && window.to === undefined) return true;
  const minutes = clocksAt(nowMs, timeZone);
  // Rather too long than not at all.
  return minutes === undefined || minutes.some((minute) => isWithin({ days, from, to }, minute));
}

function isWithin(
  { days, from, to }: { readonly days: FreezeWindow['days']; from: string; to: string },
  minute: number,
): boolean {
  const day = Math.floor(minute / DAY_MINUTES);
  const [hours, rest] = [Math.floor((minute % DAY_MINUTES) / 60), minute % 60];
  const time = `${String(hours).padStart(2, '0')}:${String(rest).padStart(2, '0')}`;
  const isDay = (at: number): boolean => days?.includes(WEEKDAYS[at] ?? 'mon') ?? true;
  if (from < to) return isDay(day) && time >= from && time < to;
  return (isDay(day) && time >= from) || (isDay((day + 6) % 7) && time < to);
}

/**
 * The minutes of the week that count now by the clocks of a time zone: what they show; and right after they
 * were set forward what they would show had they not been, so that a time that they skip is one too.
 * `undefined`: no such zone is known.
 */
function clocksAt(nowMs: number, timeZone: string): number[] | undefined {
  const now = weekMinute(nowMs, timeZone);
  if (now === undefined) return undefined;
  const shown = (agoMinutes: number): number => {
    const then = weekMinute(nowMs - agoMinutes * MINUTE_MS, timeZone) ?? now;
    return (now - then + WEEK_MINUTES) % WEEK_MINUTES;
  };
  const skipped = shown(60) - 60;
  const isSkipped = skipped > 0 && shown(skipped) > skipped;
  return isSkipped ? [now, (now - skipped + WEEK_MINUTES) % WEEK_MINUTES] : [now];
}

const MINUTE_MS = 60_000;
const DAY_MINUTES = 1_440;
const WEEK_MINUTES = 7 * DAY_MINUTES;

/** Formatters by time zone: making one takes ten times as long as asking it. */
const FORMATS = new Map<string, Intl.DateTimeFormat | null>();
const MAX_FORMATS = 100;

/** Minutes since Monday began by the clocks of a time zone; `undefined`: no such zone is known. */
function weekMinute(nowMs: number, timeZone: string): number | undefined {
  const format = formatOf(timeZone);
  if (format === null) return undefined;
  const parts = format.formatToParts(nowMs);
  const part = (type: string): string => parts.find((one) => one.type === type)?.value ?? '';
  const weekday = part('weekday').toLowerCase();
  const day = WEEKDAYS.findIndex((one) => one === weekday);
  return day * DAY_MINUTES + Number(part('hour')) * 60 + Number(part('minute'));
}

function formatOf(timeZone: string): Intl.DateTimeFormat | null {
  const known = FORMATS.get(timeZone);
  if (known !== undefined) return known;
  if (FORMATS.size >= MAX_FORMATS) FORMATS.clear();
  const format = makeFormat(timeZone);
  FORMATS.set(timeZone, format);
  return format;
}

function makeFormat(timeZone: string): Intl.DateTimeFormat | null {
  const options = {
    weekday: 'short',
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
  } as const;
  try {
    return new Intl.DateTimeFormat('en-GB', { ...options, timeZone });
  } catch {
    return null;
  }
}
