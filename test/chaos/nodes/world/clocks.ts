import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findFaketime } from '../../../../infra/dev/lib/faketime-library.mjs';
import { REPOSITORY } from '../../../../infra/dev/lib/repository.mjs';
import { createTerminal } from '../../../../infra/dev/lib/terminal.mjs';
import { eventually } from '../../../support/eventually.js';
import type { World } from './world.js';

/** What can be done to a clock: the wall clock alone, or all clocks and timers of a process. */
export type ClockKind = 'wall' | 'all';

/** A change is seen at the latest so long after, seconds: the file is not read for each question. */
const SEEN_AFTER_S = 1;
const TICKS_PER_S = 100;
const SERVED_WITHIN_MS = 60_000;
const ANSWER_DEADLINE_MS = 5_000;
const PRELOAD = 'LD_PRELOAD';
const KIND = 'PAWL_CHAOS_CLOCK';

/** Clocks of nodes that run under libfaketime; each is told by a file what time it is. */
export class Clocks {
  private constructor(
    private readonly world: World,
    private readonly library: string,
  ) {}

  /** Restarts, at once, every node whose clock cannot be changed so; resolves when every shard is served. */
  static async of(world: World, kind: ClockKind): Promise<Clocks> {
    const toolsFolder = join(REPOSITORY, '.pawl-test', 'tools');
    const library = await findFaketime({ toolsFolder, terminal: createTerminal() });
    await stat(library);
    const clocks = new Clocks(world, library);
    await Promise.all(world.ids.map((id) => clocks.#restart(id, kind)));
    await eventually(() => world.cluster.served(), SERVED_WITHIN_MS);
    return clocks;
  }

  /** The wall clock is ahead of the real one by so much; behind, if that is negative. */
  async shift(id: string, seconds: number): Promise<void> {
    await this.#tell(id, `${seconds < 0 ? '' : '+'}${seconds}`);
  }

  /** All clocks go so many times as fast from now on; they do not go back, and jump by a second at most. */
  async speed(id: string, rate: number): Promise<void> {
    const age = await ageOf(this.world.cluster.node(id).pid);
    // The library counts the rate from the start of the process on.
    const offset = -(rate - 1) * age + 0.5;
    await this.#tell(id, `${offset.toFixed(2)} x${rate}`);
  }

  /** How far the node's own wall clock is ahead of the real one, seconds, to about one. */
  async aheadOf(id: string): Promise<number> {
    const { url } = this.world.cluster.node(id);
    const answer = await fetch(`${url}/healthz`, {
      signal: AbortSignal.timeout(ANSWER_DEADLINE_MS),
    });
    await answer.arrayBuffer();
    return (Date.parse(answer.headers.get('date') ?? '') - Date.now()) / 1_000;
  }

  /** Ends a node at once and starts it with the machine's clock. */
  async giveBack(id: string): Promise<void> {
    const node = this.world.cluster.node(id);
    await node.kill();
    await node.start();
  }

  async #restart(id: string, kind: ClockKind): Promise<void> {
    const node = this.world.cluster.node(id);
    const environment = await readFile(`/proc/${node.pid}/environ`, 'utf8').catch(() => '');
    if (environment.includes(`${KIND}=${kind}\0`)) return;
    await this.#tell(id, '+0');
    await node.kill();
    await node.start({
      [PRELOAD]: this.library,
      [KIND]: kind,
      FAKETIME_TIMESTAMP_FILE: this.#file(id),
      FAKETIME_CACHE_DURATION: String(SEEN_AFTER_S),
      ...(kind === 'wall' ? { FAKETIME_DONT_FAKE_MONOTONIC: '1' } : {}),
    });
  }

  #tell(id: string, clock: string): Promise<void> {
    return writeFile(this.#file(id), `${clock}\n`);
  }

  #file(id: string): string {
    return join(this.world.cluster.node(id).dataFolder, 'chaos-clock');
  }
}

/** Seconds since a process was started. */
async function ageOf(pid: number): Promise<number> {
  const fields = (await readFile(`/proc/${pid}/stat`, 'utf8')).split(') ')[1]?.split(' ') ?? [];
  const startedAt = Number(fields[19]) / TICKS_PER_S;
  const uptime = Number((await readFile('/proc/uptime', 'utf8')).split(' ')[0]);
  return uptime - startedAt;
}
