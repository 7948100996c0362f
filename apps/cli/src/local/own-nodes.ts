import { resolve } from 'node:path';
import { AdminClient, ProblemError } from '@pawl/admin-client';
import { isAlive } from '@pawl/contracts/node';
import { findStarting, knownInstallation, writerOf } from '@pawl/platform/local';
import type { listEndpoints } from '@pawl/platform/local';
import { CliError } from '../exit-codes.js';
import { pastable } from '../own-command.js';
import { dataFolder, startCommand } from './data-folder.js';
import type { Env } from './data-folder.js';

/** A node as it wrote itself down in a data folder; one that was killed has left that there. */
export type WrittenNode = Awaited<ReturnType<typeof listEndpoints>>[number];

/** Nothing of the data folder runs now; it may come back. */
export class NotRunningError extends CliError {}

/** Something of the data folder starts; `state` says what, without what to do about it. */
export class StartingError extends NotRunningError {
  constructor(
    readonly state: string,
    advice: string,
  ) {
    super(`${state}: ${advice}`);
  }
}

/** How long nodes may take to say what they serve: one that stands still holds up no other. */
const QUICK_MS = 1_000;
/** The same when none did. */
const PATIENT_MS = 10_000;

/** What listens where a node wrote that it does. */
type Seen =
  /** A node of that installation; or one that told neither where nor which, and is not known to be gone. */
  | { readonly kind: 'own' }
  | { readonly kind: 'silent' }
  /** It never told where it serves, and its process lives no more. */
  | { readonly kind: 'ended' }
  /** `serves`: an installation, or null for what is no control plane, or one of an earlier build. */
  | { readonly kind: 'other'; readonly serves: string | null }
  | { readonly kind: 'unsure'; readonly problem: ProblemError };

/** Where nodes are looked for. */
export interface Search {
  readonly env: Env;
  /** What names a node whatever the data folder says. */
  readonly or: string;
  /** Gives up: its reason is thrown. */
  readonly signal: AbortSignal;
}

/**
 * Of these nodes of the data folder those that are not known to be gone, at least one: where a node
 * wrote which installation it serves, what listens at its address now is asked for its own. Throws a
 * CliError that says what is there when none is left, and the ProblemError of what refuses to tell.
 */
export async function ownNodes<Node extends WrittenNode>(
  nodes: readonly Node[],
  { env, or, signal }: Search,
): Promise<readonly Node[]> {
  let seen: readonly Seen[] = [];
  for (const withinMs of [QUICK_MS, PATIENT_MS]) {
    seen = await Promise.all(nodes.map((node) => look(node, withinMs, signal)));
    signal.throwIfAborted();
    const own = nodes.filter((_, at) => seen[at]?.kind === 'own');
    if (own.length > 0) return own;
  }
  await refuseStarting(env);
  for (const [at, { http = '', installation = '' }] of nodes.entries()) {
    const there = seen[at];
    if (there?.kind === 'unsure') throw there.problem;
    if (there?.kind !== 'other') continue;
    throw new CliError(
      `nothing was sent: what listens at ${http} ${servesText(there)}, and the node of ${dataFolder(env)} that wrote this address down serves ${installation} and has ended; start it with ${startCommand(env)}, or name the node that you mean with ${or}`,
    );
  }
  throw new NotRunningError(
    `no node of ${dataFolder(env)} runs: ${goneText(nodes, seen)}; start it with ${startCommand(env)}, or name one that runs with ${or}`,
  );
}

function goneText(nodes: readonly WrittenNode[], seen: readonly Seen[]): string {
  const silent = nodes
    .filter((_, at) => seen[at]?.kind === 'silent')
    .flatMap(({ http }) => http ?? []);
  if (silent.length === 0) {
    return nodes.length === 1 ? 'its process has ended' : 'their processes have ended';
  }
  const rest = silent.length === nodes.length ? '' : ', and the processes of the others have ended';
  return `no control plane answers at ${silent.join(', ')}${rest}`;
}

/**
 * What listens at `http`, which no node of the data folder wrote down, serves the folder's
 * installation; else a CliError says what is there, or a ProblemError why it refuses to tell.
 */
export async function assertServes(
  http: string,
  installation: string,
  { env, or, signal }: Search,
): Promise<void> {
  const there = await look({ http, installation, processes: {} }, PATIENT_MS, signal);
  signal.throwIfAborted();
  if (there.kind === 'own') return;
  if (there.kind === 'unsure') throw there.problem;
  const folder = `${dataFolder(env)}, which belongs to ${installation}`;
  if (there.kind !== 'other') {
    throw new NotRunningError(
      `no Pawl runs on ${folder}, and no control plane answers at ${http}; start it with ${startCommand(env)}, or name one that runs with ${or}`,
    );
  }
  throw new CliError(
    `nothing was sent: no Pawl runs on ${folder}, and what listens at ${http} ${servesText(there)}; start your own with ${startCommand(env)}, or, if you mean that one, say ${or}=${http}`,
  );
}

function servesText({ serves }: Extract<Seen, { kind: 'other' }>): string {
  return serves === null ? 'is no control plane' : `serves ${serves}`;
}

/**
 * Whom a default address may be gone to for, where no node of the data folder says where it listens:
 * the installation that the folder belongs to; null: nobody, since what left word there is not known
 * to be what listens; `undefined`: whoever it is, since nothing is known of any node. Throws a
 * StartingError where one is starting.
 */
export async function meantByDefault(
  nodes: readonly WrittenNode[],
  env: Env,
): Promise<string | null | undefined> {
  await refuseStarting(env);
  const installation = await knownInstallation(dataFolder(env));
  return installation ?? (nodes.length > 0 ? null : undefined);
}

/** Throws a StartingError: what has just been started is there, and can be asked nothing yet. */
export async function refuseStarting(env: Env): Promise<void> {
  const starting = await findStarting(dataFolder(env));
  if (starting === undefined) return;
  const meanwhile = starting.hasMember
    ? `; meanwhile \`${pastable(env, undefined, 'cluster members')}\` tells of its quorum`
    : '';
  throw new StartingError(
    `Pawl is starting on ${resolve(dataFolder(env))} (process ${starting.pid}) and serves nothing yet`,
    `wait until it says where it serves, then try again${meanwhile}`,
  );
}

/** `/healthz` is answered without a majority of the quorum too, and without PostgreSQL. */
async function look(node: WrittenNode, withinMs: number, signal: AbortSignal): Promise<Seen> {
  const { http, installation } = node;
  if (http === undefined) {
    // A start, or a member without a control plane. Killed, whoever has its ports now is somebody else.
    const writer = writerOf(node);
    return { kind: writer === undefined || isAlive(writer) ? 'own' : 'ended' };
  }
  if (installation === undefined) return { kind: 'own' };
  try {
    const view: unknown = await new AdminClient({
      url: http,
      timeoutMs: withinMs,
      signal,
    }).health();
    const serves = (view as { readonly installation?: unknown } | null)?.installation;
    if (serves === installation) return { kind: 'own' };
    return { kind: 'other', serves: typeof serves === 'string' ? serves : null };
  } catch (error) {
    return error instanceof ProblemError ? { kind: 'unsure', problem: error } : { kind: 'silent' };
  }
}

/** No node has written down where it is, in the folder that PAWL_DATA_DIR names; `or` as above. */
export async function nothingRuns(env: Env, or: string): Promise<NotRunningError> {
  await refuseStarting(env);
  return new NotRunningError(
    `no Pawl runs on ${resolve(dataFolder(env))}, which PAWL_DATA_DIR names: start it with ${startCommand(env)}, name the data folder of one that runs, or its address with ${or}`,
  );
}
