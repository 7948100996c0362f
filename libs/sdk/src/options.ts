import { hostname } from 'node:os';
import { LIMITS, subjectsOf } from '@pawl/contracts';
import type { Subjects } from '@pawl/contracts';
import type { NodeConnectionOptions } from '@nats-io/transport-node';
import type { CrashLoopLimits } from './cache/scope-trial.js';
import { messageOf, PawlError } from './errors.js';
import { parseServers } from './nats/server-list.js';
import type { ServerList } from './nats/server-list.js';

/** How to authenticate to NATS, as its client takes it. */
export type NatsCredentials = Pick<
  NodeConnectionOptions,
  'user' | 'pass' | 'token' | 'authenticator' | 'tls' | 'inboxPrefix'
>;

export interface ConnectOptions {
  /**
   * NATS servers: `nats://host:port`, `tls://host:port` or `host:port`, credentials before the host
   * if need be; several in a list or separated by commas.
   */
  readonly servers: string | readonly string[];
  /** Name of the installation. Default `main`. */
  readonly installation?: string;
  /** The service. Default: the last segment of the first scope that is opened. */
  readonly workload?: string;
  /** The instance, stable across restarts if it can be. Default: the host name. */
  readonly consumerId?: string;
  /** At most 16, each value at most 128 bytes. */
  readonly labels?: Readonly<Record<string, string>>;
  /** The service's own version, shown to operators. */
  readonly build?: string;
  /**
   * Where last-known-good files live, one folder per consumerId. Without it nothing is kept, and a
   * start with NATS down fails.
   */
  readonly cacheDir?: string;
  /** Time for the network to answer before the file is used. Default 2,000. */
  readonly openTimeoutMs?: number;
  /** Time after which `open` gives up. Default 10,000. */
  readonly startTimeoutMs?: number;
  /** Time for an asynchronous `validate`. Default 5,000. */
  readonly validateTimeoutMs?: number;
  /** Silence after which a scope is stale. Default 30,000. */
  readonly staleAfterMs?: number;
  /** Acks wait up to this long to travel together. Default 250. */
  readonly ackWindowMs?: number;
  /**
   * With a `cacheDir`: a snapshot that the process does not survive twice is refused with `crash-loop`
   * by the next process, which starts from the one before. `false`: it is run again and again.
   */
  readonly crashLoop?: false | CrashLoopOptions;
  readonly nats?: NatsCredentials;
}

/** Which ends of the process are held against the snapshot that it applied last. */
export interface CrashLoopOptions {
  /** Once it has run this long no end is. Default 60,000. */
  readonly settleMs?: number;
  /**
   * So long an end counts that leaves no mark, as by SIGKILL or out of memory; later only an exit code
   * other than 0. At most `settleMs`. Default 10,000.
   */
  readonly windowMs?: number;
}

export interface CheckedOptions {
  readonly servers: ServerList;
  readonly installation: string;
  readonly subjects: Subjects;
  readonly workload: string | undefined;
  readonly consumerId: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly build: string | undefined;
  readonly cacheDir: string | undefined;
  readonly openTimeoutMs: number;
  readonly startTimeoutMs: number;
  readonly validateTimeoutMs: number;
  readonly staleAfterMs: number;
  readonly ackWindowMs: number;
  readonly crashLoop: CrashLoopLimits | false;
  readonly nats: NatsCredentials;
}

const MAX_TIMEOUT_MS = 3_600_000;
const BUILD_LENGTH = 128;
const SETTLE_MS = 60_000;
const CRASH_WINDOW_MS = 10_000;
const WORKLOAD = /^[A-Za-z0-9_-]{1,128}$/;
const KNOWN: ReadonlySet<string> = new Set<keyof ConnectOptions>([
  'servers',
  'installation',
  'workload',
  'consumerId',
  'labels',
  'build',
  'cacheDir',
  'openTimeoutMs',
  'startTimeoutMs',
  'validateTimeoutMs',
  'staleAfterMs',
  'ackWindowMs',
  'crashLoop',
  'nats',
]);

/** Options with defaults filled in. Throws a {@link PawlError} `bad-options` for the first wrong one. */
export function checkOptions(options: ConnectOptions): CheckedOptions {
  if (typeof options !== 'object' || options === null) throw bad('connect takes an object');
  const unknown = Object.keys(options).find((key) => !KNOWN.has(key));
  if (unknown !== undefined) throw bad(`there is no option "${unknown}"`);
  const installation = optionalText(options.installation, 'installation') ?? 'main';
  return {
    installation,
    subjects: checkInstallation(installation),
    servers: checkServers(options.servers),
    workload: checkWorkload(options.workload),
    consumerId: checkConsumerId(options.consumerId),
    labels: checkLabels(options.labels ?? {}),
    build: checkBuild(options.build),
    cacheDir: optionalText(options.cacheDir, 'cacheDir'),
    openTimeoutMs: checkMs(options.openTimeoutMs, 'openTimeoutMs', 2_000),
    startTimeoutMs: checkMs(options.startTimeoutMs, 'startTimeoutMs', 10_000),
    validateTimeoutMs: checkMs(options.validateTimeoutMs, 'validateTimeoutMs', 5_000),
    staleAfterMs: checkMs(options.staleAfterMs, 'staleAfterMs', 30_000),
    ackWindowMs: checkMs(options.ackWindowMs, 'ackWindowMs', 250),
    crashLoop: checkCrashLoop(options.crashLoop ?? {}),
    nats: options.nats ?? {},
  };
}

function bad(message: string): PawlError {
  return new PawlError('bad-options', message);
}

function optionalText(value: unknown, name: string): string | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== 'string' || value === '') throw bad(`"${name}" is not a text`);
  return value;
}

function checkInstallation(name: string): Subjects {
  try {
    return subjectsOf(name);
  } catch {
    throw bad(`"installation" is not a name: 1 to 32 of a-z, 0-9, "_" and "-"`);
  }
}

function checkServers(value: unknown): ServerList {
  try {
    return parseServers(value);
  } catch (thrown) {
    throw bad(`"servers": ${messageOf(thrown)}`);
  }
}

function checkWorkload(value: unknown): string | undefined {
  const workload = optionalText(value, 'workload');
  if (workload === undefined || WORKLOAD.test(workload)) return workload;
  throw bad('"workload" is not a name: 1 to 128 of A-Z, a-z, 0-9, "_" and "-"');
}

function checkConsumerId(value: unknown): string {
  const given = optionalText(value, 'consumerId');
  const id = (given ?? hostname()).replace(/[^A-Za-z0-9_-]/g, '_');
  if (given === undefined) return id.slice(0, LIMITS.consumerIdLength) || '_';
  if (id.length <= LIMITS.consumerIdLength) return id;
  throw bad(`"consumerId" has more than ${LIMITS.consumerIdLength} characters`);
}

function checkLabels(value: unknown): Readonly<Record<string, string>> {
  if (typeof value !== 'object' || value === null) throw bad('"labels" is not an object');
  const labels = Object.entries(value);
  if (labels.length > LIMITS.labels) throw bad(`"labels" has more than ${LIMITS.labels} entries`);
  for (const [name, label] of labels) {
    const fits = typeof label === 'string' && Buffer.byteLength(label) <= LIMITS.labelBytes;
    if (!fits || name === '' || Buffer.byteLength(name) > LIMITS.labelBytes) {
      throw bad(`label "${name}" is not a text of at most ${LIMITS.labelBytes} bytes`);
    }
  }
  return Object.freeze(Object.fromEntries(labels) as Record<string, string>);
}

function checkBuild(value: unknown): string | undefined {
  const build = optionalText(value, 'build');
  if (build === undefined || build.length <= BUILD_LENGTH) return build;
  throw bad(`"build" has more than ${BUILD_LENGTH} characters`);
}

function checkCrashLoop(value: false | CrashLoopOptions): CrashLoopLimits | false {
  if (value === false) return false;
  if (typeof value !== 'object') throw bad('"crashLoop" is neither false nor an object');
  const unknown = Object.keys(value).find((key) => key !== 'settleMs' && key !== 'windowMs');
  if (unknown !== undefined) throw bad(`there is no option "crashLoop.${unknown}"`);
  const settleMs = checkMs(value.settleMs, 'crashLoop.settleMs', SETTLE_MS);
  const fallback = Math.min(CRASH_WINDOW_MS, settleMs);
  const windowMs = checkMs(value.windowMs, 'crashLoop.windowMs', fallback);
  if (windowMs <= settleMs) return { settleMs, windowMs };
  throw bad('"crashLoop.windowMs" is more than "crashLoop.settleMs"');
}

function checkMs(value: unknown, name: string, fallback: number): number {
  if (value === undefined) return fallback;
  if (typeof value === 'number' && value >= 0 && value <= MAX_TIMEOUT_MS) return value;
  throw bad(`"${name}" is not a number of milliseconds up to ${MAX_TIMEOUT_MS}`);
}
