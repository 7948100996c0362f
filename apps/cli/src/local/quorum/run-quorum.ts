import { join } from 'node:path';
import { openMember, quorumProblem } from '@pawl/metadata';
import type { Member } from '@pawl/metadata';
import { Readiness, ownProcess, removeEndpoints, writeEndpoints } from '@pawl/platform';
import type { Settings } from '@pawl/platform';
import { CliError } from '../../exit-codes.js';
import { systemClock, foregroundTimer } from '@pawl/contracts/node';
import { followMember } from './follow-member.js';
import { MemberHttp } from './member-http.js';
import type { MemberView } from './member-http.js';
import type { MemberLog } from './member-log.js';
import { quorumMetrics } from './quorum-metrics.js';
import { failureText, nameOptions } from './start-failure.js';

/** How long a linearizable read may take before the member calls itself unhealthy. */
const HEALTH_DEADLINE_MS = 2_000;
/** An orderly stop hands leadership over; one that takes longer is given up. */
const STOP_DEADLINE_MS = 15_000;

export interface QuorumRun {
  readonly settings: Settings;
  readonly log: MemberLog;
  /** Ends it in order. */
  readonly signal: AbortSignal;
}

/**
 * Runs a quorum member until `signal`. Rejects with a {@link CliError} when it cannot start, when it
 * fails by itself, or when it cannot stop in time.
 */
export async function runQuorum({ settings, log, signal }: QuorumRun): Promise<void> {
  const ending = new Ending(log);
  let fail: (error: Error) => void = () => undefined;
  const failed = new Promise<never>((_resolve, reject) => (fail = reject));
  failed.catch(() => undefined);
  let running = false;
  try {
    const http = new MemberHttp(settings.http);
    const opening = openMember({
      folder: join(settings.dataDir, 'metadata'),
      nodeId: settings.nodeId,
      settings: settings.quorum,
      clock: systemClock,
      timer: foregroundTimer,
      onProblem: (text) => log.warn(text),
      onFailure: (error) => fail(error),
      prepare: async () => {
        await http.listen();
        ending.push('health and metrics', () => http.close());
      },
    });
    const member = await Promise.race([opening, untilAborted(signal)]);
    if (member === undefined) {
      opening.catch(() => undefined);
      log.info('stopped before it had started');
      await ending.run(STOP_DEADLINE_MS);
      return;
    }
    ending.push('the member', () => member.close());
    for (const note of member.node.notes) log.warn(nameOptions(note));
    http.show(viewOf(member));
    await introduce(member, http.url, { settings, log, ending });
    ending.push('following', followMember(member.node, log));
    running = true;
    await Promise.race([untilAborted(signal), failed]);
    log.info('stopping');
  } catch (error) {
    const text = failureText(error, settings.dataDir);
    if (running) log.error(text);
    await ending.run(STOP_DEADLINE_MS);
    throw new CliError(text);
  }
  if (!(await ending.run(STOP_DEADLINE_MS))) throw new CliError('an orderly stop took too long');
  log.info('stopped');
}

function viewOf({ node }: Member): MemberView {
  const checks = [{ name: 'quorum', check: () => quorumProblem(node) }];
  const readiness = new Readiness(checks, HEALTH_DEADLINE_MS);
  const health = async (): Promise<string | null> => {
    const { ready, checks: found } = await readiness.report();
    return ready ? null : (found['quorum'] ?? 'not known');
  };
  return { health, metrics: quorumMetrics(node) };
}

/** Tells where everything is: in the log and in endpoints.json. */
async function introduce(
  member: Member,
  health: string,
  { settings, log, ending }: Omit<QuorumRun, 'signal'> & { readonly ending: Ending },
): Promise<void> {
  const { dataDir } = settings;
  await writeEndpoints(dataDir, {
    peer: member.peerAddress,
    etcd: member.etcdUrl,
    health,
    ...ownProcess('quorum'),
  });
  ending.push('endpoints.json', () => removeEndpoints(dataDir, process.pid));
  log.info(`member ${member.node.nodeId} of cluster ${member.node.clusterId}, data in ${dataDir}`);
  log.info(`the other members find it at ${member.peerAddress}`);
  log.info(`coordination API (etcd v3) at ${member.etcdUrl}`);
  log.info(`health at ${health}/health, metrics at ${health}/metrics`);
}

function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

/** What was opened, closed in the reverse order. */
class Ending {
  readonly #steps: { readonly name: string; readonly end: () => Promise<void> | void }[] = [];

  constructor(private readonly log: MemberLog) {}

  push(name: string, end: () => Promise<void> | void): void {
    this.#steps.push({ name, end });
  }

  /** Answers false when it was not done after `deadlineMs`. */
  async run(deadlineMs: number): Promise<boolean> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<boolean>((resolve) => {
      timer = setTimeout(() => resolve(false), deadlineMs);
    });
    const done = await Promise.race([this.#all(), late]);
    clearTimeout(timer);
    return done;
  }

  async #all(): Promise<boolean> {
    for (let step = this.#steps.pop(); step !== undefined; step = this.#steps.pop()) {
      try {
        await step.end();
      } catch (error) {
        this.log.warn(`${step.name} did not end in order: ${messageOf(error)}`);
      }
    }
    return true;
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
