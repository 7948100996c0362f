import type { Rng } from '@pawl/kernel';
import { eventually } from '../../support/eventually.js';
import { checkConsumers, notConverged } from './checks/check-consumers.js';
import { checkHistories } from './checks/check-histories.js';
import { checkTokens } from './checks/check-tokens.js';
import { checkTruth, countLost } from './checks/check-truth.js';
import { forgive } from './checks/forgive.js';
import type { Broken } from './checks/promise.js';
import type { NodesFault, Struck } from './faults/fault.js';
import { changes, isAcknowledged, type Call } from './traffic/call.js';
import type { Traffic } from './traffic/traffic.js';
import { countRaises, withClient } from './world/audit.js';
import { readSnapshots, readTruth } from './world/read-truth.js';
import type { World } from './world/world.js';

export interface CaseWish {
  readonly world: World;
  readonly traffic: Traffic;
  readonly fault: NodesFault;
  readonly rng: Rng;
}

export interface CaseReport {
  readonly fault: string;
  readonly acknowledged: number;
  readonly refused: number;
  /** Surely not done. */
  readonly failed: number;
  readonly unknown: number;
  readonly lost: number;
  /** Fences that were raised: shards that went to another owner, or to a new start of one. */
  readonly moves: number;
  /** Milliseconds until the first acknowledged write, of each harmed shard. */
  readonly recoveryMs: readonly number[];
  readonly broken: readonly Broken[];
}

/** With fewer acknowledged writes a case proves nothing. */
export const LEAST_ACKNOWLEDGED = 30;
const RECOVERS_WITHIN_MS = 60_000;
const CONVERGES_WITHIN_MS = 60_000;
const NODES_AGREE_WITHIN_MS = 30_000;
const ANSWER_DEADLINE_MS = 10_000;

/**
 * Harms the world once under traffic, waits until it is whole and everybody has converged, and judges
 * all that was ever done in it. Throws when nothing recovers, or too few writes are
 * acknowledged; a `VoidError` where the harm was not done.
 */
export async function runCase({ world, traffic, fault, rng }: CaseWish): Promise<CaseReport> {
  const from = traffic.calls.length;
  const raisesBefore = await withClient(world.truth.url, countRaises);
  traffic.resume(rng);
  await acknowledged(traffic, from, 10);
  const struck = await fault.strike({ world, traffic, rng });
  if (struck.lost !== undefined) world.lostStretches.push(struck.lost);
  await world.whole();
  const recoveryMs = await recovery(world, traffic, struck);
  await acknowledged(traffic, from, LEAST_ACKNOWLEDGED);
  await traffic.quiesce();
  const converged = await convergence(world);
  const calls = traffic.calls.slice(from).filter(changes);
  const broken = [...converged, ...(await judge(world, traffic))];
  const count = (kind: string) => calls.filter(({ outcome }) => outcome.kind === kind).length;
  return {
    fault: fault.name,
    acknowledged: calls.filter(isAcknowledged).length,
    refused: count('refused'),
    failed: count('failed'),
    unknown: count('unknown'),
    lost: countLost(broken),
    moves: (await withClient(world.truth.url, countRaises)) - raisesBefore,
    recoveryMs,
    broken,
  };
}

/** Waits until so many writes were acknowledged since call number `from`. */
async function acknowledged(traffic: Traffic, from: number, count: number): Promise<void> {
  await eventually(() => {
    const made = traffic.calls.slice(from).filter(isAcknowledged).length;
    if (made < count) throw new Error(`only ${made} writes were acknowledged`);
  }, RECOVERS_WITHIN_MS);
}

/** Waits for a write to each harmed shard that has scopes; how long each took from `since` on. */
function recovery(world: World, traffic: Traffic, { shards, since }: Struck): Promise<number[]> {
  const used = new Set(world.scopes.map((scope) => world.shardOf(scope)));
  const wanted = shards.filter((shard) => used.has(shard));
  return eventually(() => {
    const after = traffic.calls.filter((call) => call.calledAt >= since && isAcknowledged(call));
    return wanted.map((shard) => {
      const own = after.filter(({ scope }) => world.shardOf(scope) === shard);
      if (own.length === 0) throw new Error(`shard ${shard} takes no writes again`);
      return Math.min(...own.map(({ returnedAt }) => returnedAt)) - since;
    });
  }, RECOVERS_WITHIN_MS);
}

/** Waits until every consumer runs what PostgreSQL holds; who does not in time breaks a promise. */
async function convergence(world: World): Promise<Broken[]> {
  const { fleet, truth } = world;
  if (fleet === null) return [];
  try {
    await eventually(async () => {
      const snapshots = await withClient(truth.url, readSnapshots);
      if (fleet.dead > 0)
        throw new Error(`${fleet.dead} processes of consumers ended by themselves`);
      const others = notConverged(snapshots, await fleet.records(), world.options.consumers);
      if (others.length > 0)
        throw new Error(`${others.length} consumers: ${others.slice(0, 3).join('; ')}`);
    }, CONVERGES_WITHIN_MS);
    return [];
  } catch (error) {
    return [{ promise: 'converged', text: error instanceof Error ? error.message : String(error) }];
  }
}

async function judge(world: World, traffic: Traffic): Promise<Broken[]> {
  const truth = await readTruth(world.truth.url);
  const records = (await world.fleet?.records()) ?? [];
  const calls = forgive(traffic.calls, world.lostStretches);
  return [
    ...checkTruth(truth, calls),
    ...checkHistories(truth, calls),
    ...checkTokens(truth.audit),
    ...checkConsumers(truth, records, world.lostStretches.length > 0),
    ...(await checkNodes(world)),
  ];
}

/**
 * Every node answers what PostgreSQL holds, and that consumers have converged on it, which they have; what a paused node was still to do may come in between.
 */
async function checkNodes(world: World): Promise<Broken[]> {
  try {
    await eventually(async () => {
      const { definitions, releases, snapshots } = await readTruth(world.truth.url);
      const newest = new Map(definitions.map((one) => [one.scope, one]));
      for (const id of world.ids) {
        const { url } = world.cluster.node(id);
        for (const { scope, releaseVersion, stableVersion } of releases) {
          const { version, hash } = newest.get(scope) ?? {};
          await assertAnswers(`${url}/v1/config/${scope}`, { version, hash });
          await assertAnswers(`${url}/v1/release/${scope}`, { releaseVersion, stableVersion });
        }
        if (world.fleet === null) continue;
        for (const { scope, version } of snapshots) await assertRollout(url, scope, version);
      }
    }, NODES_AGREE_WITHIN_MS);
    return [];
  } catch (error) {
    return [{ promise: 'one truth', text: error instanceof Error ? error.message : String(error) }];
  }
}

async function assertRollout(node: string, scope: string, version: number): Promise<void> {
  const url = `${node}/v1/rollout/${scope}`;
  const body = await getJson(url);
  const published = body['published'] as { version: number } | null;
  if (body['converged'] === true && published?.version === version) return;
  throw new Error(`${url} answers ${JSON.stringify(body)}, all have converged on ${version}`);
}

async function getJson(url: string): Promise<Readonly<Record<string, unknown>>> {
  const answer = await fetch(url, { signal: AbortSignal.timeout(ANSWER_DEADLINE_MS) });
  return (await answer.json()) as Record<string, unknown>;
}

/** Throws unless the answer has these members. */
async function assertAnswers(
  url: string,
  wanted: Readonly<Record<string, unknown>>,
): Promise<void> {
  const body = await getJson(url);
  const same = Object.entries(wanted).every(([name, value]) => body[name] === value);
  if (same) return;
  throw new Error(`${url} answers ${JSON.stringify(body)}, PostgreSQL ${JSON.stringify(wanted)}`);
}

/** What a failed case leaves for whoever looks into it. */
export function evidence(traffic: Traffic, broken: readonly Broken[]): Record<string, string> {
  return {
    'calls.jsonl': traffic.calls.map((call: Call) => JSON.stringify(call)).join('\n'),
    'broken.txt': broken.map(({ promise, text }) => `${promise}: ${text}`).join('\n'),
  };
}
