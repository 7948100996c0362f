import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { seededRng } from '@pawl/kernel';
import { EtcdClient } from './client/etcd-client.js';
import type { Cluster } from './cluster/cluster.js';
import { startCluster } from './quorum-under-test.js';

const IMAGES = 8;
const WRITERS = 4;
const CALL_DEADLINE_MS = 2_000;

let cluster: Cluster | undefined;

afterEach(async () => {
  await cluster?.stop();
  cluster = undefined;
});

/** Writes numbers to keys of its own, one after the other, until it is told to end. */
class Writer {
  answered = 0;
  asked = 0;

  constructor(
    private readonly name: string,
    private readonly client: EtcdClient,
  ) {}

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.asked += 1;
      const value = `${this.asked}`;
      const outcome = await this.client.perform({ kind: 'put', key: this.name, value });
      if (outcome.kind === 'ok') this.answered = this.asked;
    }
  }
}

describe('what kill -9 leaves at any moment', () => {
  it('S1 S3 holds all that was answered until then, also when it is killed while it starts', async () => {
    const rng = seededRng(7);
    // It writes snapshots and changes files all the time.
    cluster = await startCluster({ nodes: 1, args: ['--snapshot-count', '20'] });
    const [node] = cluster.nodes;
    const { process } = node!;
    const client = new EtcdClient(process.endpoint, CALL_DEADLINE_MS);
    const writers = Array.from({ length: WRITERS }, (_, at) => new Writer(`w${at}`, client));
    const over = new AbortController();
    const running = writers.map((writer) => writer.run(over.signal));
    const images: { folder: string; answered: number[]; asked: number[] }[] = [];
    for (let at = 0; at < IMAGES; at += 1) {
      await delay(rng.below(300));
      // Whatever was answered before it stands still is there then; it answers nothing meanwhile.
      const answered = writers.map((writer) => writer.answered);
      process.pause();
      const folder = join(process.dataFolder, '..', `image-${at}`);
      await cp(process.dataFolder, folder, { recursive: true });
      images.push({ folder, answered, asked: writers.map((writer) => writer.asked) });
      process.resume();
    }
    over.abort();
    await Promise.all(running);
    expect(writers.every(({ answered }) => answered > IMAGES)).toBe(true);
    for (const image of images) {
      await cluster.replaceData(node!, image.folder);
      if (rng.below(2) === 0) {
        await process.start();
        await delay(rng.below(500));
        await process.kill9();
      }
      await process.start();
      await cluster.ready();
      for (const [at, { answered, asked }] of writers.map(
        (_, index) =>
          [index, { answered: image.answered[index]!, asked: image.asked[index]! }] as const,
      )) {
        const outcome = await client.perform({ kind: 'range', key: `w${at}` });
        if (outcome.kind !== 'ok' || outcome.answer.kind !== 'range') throw new Error(outcome.kind);
        const found = Number(outcome.answer.kvs[0]?.value ?? 0);
        expect(found).toBeGreaterThanOrEqual(answered);
        expect(found).toBeLessThanOrEqual(asked);
      }
    }
    client.close();
  });
});
