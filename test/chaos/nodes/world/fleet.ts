import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Links } from '../../network/links.js';
import { ClientGate } from './client-gate.js';
import { FleetMember } from './fleet-member.js';

/** One thing that a consumer wrote down, in its order, through all processes that it was in. */
export interface ConsumerRecord {
  readonly kind: 'applied' | 'rejected' | 'absent';
  readonly consumer: string;
  readonly address: string;
  /** Of the last-known-good file; null when that holds another version, as after a late write. */
  readonly generation: number | null;
  readonly version: number;
  readonly hash: string | null;
  /** The call that wrote the definition which runs. */
  readonly writtenBy: string | null;
  /** What the SDK said of it. */
  readonly lowered: boolean;
  /** What it runs first in a new process, from its file or from NATS. */
  readonly isStart?: boolean;
  readonly reason?: string;
}

/** What the SDK survived: for whoever looks into the files. */
interface ConsumerProblem {
  readonly kind: 'problem';
}

export interface FleetOptions {
  readonly natsPort: number;
  /** Name of NATS in the links. */
  readonly nats: string;
  readonly links: Links;
  readonly scopes: readonly string[];
  readonly consumers: number;
  readonly processes: number;
  readonly folder: string;
}

/**
 * Consumers of the SDK's build in a few processes, each of which reaches NATS through a gate of its
 * own; consumer n follows scope n modulo the scopes.
 */
export class Fleet {
  readonly #records: ConsumerRecord[] = [];

  private constructor(readonly members: readonly FleetMember[]) {}

  /** Resolves when every consumer runs something. */
  static async start(options: FleetOptions): Promise<Fleet> {
    const { natsPort, nats, links, scopes, consumers, processes, folder } = options;
    await mkdir(folder, { recursive: true });
    const each = Math.ceil(consumers / processes);
    const members: FleetMember[] = [];
    for (let at = 0; at * each < consumers; at += 1) {
      const id = `consumers-${at + 1}`;
      const gate = await ClientGate.open({
        client: id,
        service: nats,
        behindPort: natsPort,
        links,
      });
      const first = at * each;
      const count = Math.min(each, consumers - first);
      const places = { cacheDir: join(folder, 'cache'), file: join(folder, `${id}.jsonl`) };
      members.push(new FleetMember({ id, gate, scopes, first, count, ...places }));
    }
    const fleet = new Fleet(members);
    try {
      await Promise.all(members.map((member) => member.start()));
      return fleet;
    } catch (error) {
      await fleet.stop();
      throw error;
    }
  }

  get files(): readonly string[] {
    return this.members.map(({ file }) => file);
  }

  /** All that was written down until now; of each consumer in its order. */
  async records(): Promise<readonly ConsumerRecord[]> {
    for (const member of this.members) {
      const lines = await member.newLines();
      const records = lines.map((line) => JSON.parse(line) as ConsumerRecord | ConsumerProblem);
      this.#records.push(...records.filter((record) => record.kind !== 'problem'));
    }
    return this.#records;
  }

  /** Processes that have ended by themselves. */
  get dead(): number {
    return this.members.filter(({ isDead }) => isDead).length;
  }

  async stop(): Promise<void> {
    await Promise.all(this.members.map((member) => member.stop()));
  }
}
