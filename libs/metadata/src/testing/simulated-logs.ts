import { assert, seededRng } from '@pawl/kernel';
import type { Rng } from '@pawl/kernel';
import type { LogEvents, LogMachine } from '../quorum/replicated-log.port.js';
import { ProcessTime } from './process-time.js';
import { emptyDisk } from './simulated-disk.js';
import type { SimulatedDisk } from './simulated-disk.js';
import { SimulatedLog } from './simulated-log.js';
import type { SimulatedLogSettings } from './simulated-log-settings.js';
import { SimulatedNetwork } from './simulated-network.js';
import { SimulatedTime } from './simulated-time.js';

/** A process that runs a log: its own time, and the log in it. */
export interface SimulatedProcess {
  readonly time: ProcessTime;
  readonly log: SimulatedLog;
}

/**
 * A cluster of {@link SimulatedLog}s in one process. One seed and the calls of the test decide
 * everything: two runs are the same.
 */
export class SimulatedLogs {
  readonly time = new SimulatedTime();
  readonly rng: Rng;
  readonly network: SimulatedNetwork;
  readonly disks = new Map<string, SimulatedDisk>();
  readonly processes = new Map<string, SimulatedProcess>();
  /** Told of interesting states that a log reaches. */
  onReached: (what: string) => void = () => undefined;
  readonly #folders = new Map<string, number>();

  constructor(
    seed: number,
    private readonly settings: Partial<SimulatedLogSettings> = {},
  ) {
    this.rng = seededRng(seed);
    this.network = new SimulatedNetwork(this.time, this.rng);
  }

  /** A node's disk, made empty if it has none; `founders` empty for a node that joins. */
  disk(nodeId: string, founders: readonly string[] = []): SimulatedDisk {
    let disk = this.disks.get(nodeId);
    if (disk === undefined) {
      const folder = (this.#folders.get(nodeId) ?? 0) + 1;
      this.#folders.set(nodeId, folder);
      disk = emptyDisk('cluster', `${nodeId}/${folder}`, founders);
      this.disks.set(nodeId, disk);
    }
    return disk;
  }

  /** The node's disk is lost. */
  wipe(nodeId: string): void {
    this.disks.delete(nodeId);
  }

  /** Time for a process that is about to open its log. */
  newTime(rate = 1): ProcessTime {
    return new ProcessTime(this.time, rate);
  }

  /** Opens the log of a node on its disk; the process ends with it. */
  open(
    nodeId: string,
    { machine, events, time }: { machine: LogMachine; events: LogEvents; time: ProcessTime },
  ): SimulatedLog {
    assert(!this.processes.has(nodeId), `${nodeId} does not run`);
    const { network, rng, settings } = this;
    const disk = this.disk(nodeId);
    const reached = (what: string): void => this.onReached(what);
    const parts = { nodeId, network, disk, time, rng, machine, events, settings, reached };
    const log = new SimulatedLog(parts);
    this.processes.set(nodeId, { time, log });
    return log;
  }

  /** The process is killed: it says nothing more, and its promises are never settled. */
  crash(nodeId: string): void {
    this.processes.get(nodeId)?.log.crash();
    this.processes.delete(nodeId);
  }

  /** To be called once a log was stopped. */
  forget(nodeId: string): void {
    this.processes.delete(nodeId);
  }

  /** Who leads in the newest term, as the leader itself sees it. */
  leader(): string | null {
    let newest: { readonly nodeId: string; readonly term: number } | null = null;
    for (const { log } of this.processes.values()) {
      const { role, nodeId, term } = log.status();
      if (role === 'leader' && term > (newest?.term ?? 0)) newest = { nodeId, term };
    }
    return newest?.nodeId ?? null;
  }

  /** Goes on until a node leads, other than `except`. */
  async untilLed(except: string | null = null): Promise<string> {
    const led = (): string | null => {
      const leader = this.leader();
      return leader === except ? null : leader;
    };
    await this.time.until(() => led() !== null);
    return led() as string;
  }
}
