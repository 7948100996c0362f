import type { OwnDetails } from '../quorum/member-directory.js';
import { QuorumHost } from '../quorum/quorum-host.js';
import { QuorumNode } from '../quorum/quorum-node.js';
import type { QuorumSettings } from '../quorum/quorum-settings.js';
import type { LogMachine } from '../quorum/replicated-log.port.js';
import type { MetadataState, StateLimits } from '../state/index.js';
import type { SimulatedLogSettings } from './simulated-log-settings.js';
import { SimulatedLogs } from './simulated-logs.js';
import type { ProcessTime } from './process-time.js';

export interface SimulatedQuorumOptions {
  readonly seed: number;
  /** Ids of the founders. */
  readonly founders: readonly string[];
  /** Ids of the nodes that each knows how to reach from its start; left out: the founders. */
  readonly startList?: readonly string[];
  readonly log?: Partial<SimulatedLogSettings>;
  readonly limits?: Partial<StateLimits>;
  readonly settings?: Partial<QuorumSettings>;
  /** Looks over a node's machine; `stateOf`: null while its host opens. */
  readonly wrap?: (
    id: string,
    machine: LogMachine,
    stateOf: () => MetadataState | null,
  ) => LogMachine;
}

export interface StartOptions {
  readonly details?: Partial<OwnDetails>;
  /** Rate of the process's clock. */
  readonly rate?: number;
}

/** A process that runs a node; each start of a node is another one. */
export interface QuorumProcess {
  readonly id: string;
  readonly node: QuorumNode;
  readonly host: QuorumHost;
  readonly time: ProcessTime;
  /** Why it stopped by itself, in the order in which that was told. */
  readonly failures: readonly Error[];
}

/**
 * Nodes of a quorum in one process, over {@link SimulatedLogs}: real hosts and the real consensus
 * core; time, network and disks are the test's. Two runs of one seed are the same.
 */
export class SimulatedQuorum {
  readonly logs: SimulatedLogs;
  readonly processes = new Map<string, QuorumProcess>();
  readonly #options: SimulatedQuorumOptions;
  readonly #startList: ReadonlyMap<string, string>;

  constructor(options: SimulatedQuorumOptions) {
    this.#options = options;
    this.logs = new SimulatedLogs(options.seed, options.log);
    const { founders, startList = founders } = options;
    this.#startList = new Map(startList.map((id) => [id, addressOf(id)]));
    for (const id of founders) this.logs.disk(id, founders);
  }

  get time(): SimulatedLogs['time'] {
    return this.logs.time;
  }

  /** Starts nodes, on the disks they have; a node that is no founder joins. */
  async start(ids = this.#options.founders, options: StartOptions = {}): Promise<void> {
    for (const id of ids) await this.#start(id, options);
  }

  process(id: string): QuorumProcess {
    const process = this.processes.get(id);
    if (process === undefined) throw new Error(`${id} does not run`);
    return process;
  }

  node(id: string): QuorumNode {
    return this.process(id).node;
  }

  /** The process is killed: nothing of it happens any more. */
  crash(id: string): void {
    this.logs.crash(id);
    this.processes.delete(id);
  }

  /** Closes a node in order. */
  async stop(id: string): Promise<void> {
    const { node } = this.process(id);
    await this.time.wait(node.close());
    this.logs.forget(id);
    this.processes.delete(id);
  }

  /** The leader, once there is one other than `except`. */
  async leader(except: string | null = null): Promise<QuorumProcess> {
    return this.process(await this.logs.untilLed(except));
  }

  /** What a call gives, as time goes on. */
  wait<T>(promise: Promise<T>): Promise<T> {
    return this.time.wait(promise);
  }

  async #start(id: string, { details = {}, rate = 1 }: StartOptions): Promise<void> {
    const { limits, settings, wrap } = this.#options;
    const time = this.logs.newTime(rate);
    const failures: Error[] = [];
    let opened: QuorumHost | null = null;
    const wrapped = (machine: LogMachine): LogMachine =>
      wrap === undefined ? machine : wrap(id, machine, () => opened?.state ?? null);
    const host = await QuorumHost.open(
      async (machine, events) => this.logs.open(id, { machine: wrapped(machine), events, time }),
      {
        clock: time,
        timer: time,
        newId: () => BigInt(this.logs.rng.below(2 ** 32)) * 2n ** 30n + 1n,
        details: () => ({ name: id, clientAddresses: [], ...details }),
        startList: this.#startList,
        onFailure: (error) => failures.push(error),
        defer: (task) => time.after(0, task),
        ...(limits === undefined ? {} : { limits }),
        ...(settings === undefined ? {} : { settings }),
      },
    );
    opened = host;
    const node = new QuorumNode(host, { timer: time });
    this.processes.set(id, { id, node, host, time, failures });
  }
}

/** Where a simulated node says that it listens. */
export function addressOf(id: string): string {
  return `${id}:7480`;
}
