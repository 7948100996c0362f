import type { Ack } from '@pawl/contracts';
import { isReached } from './cohort-rules.js';
import type { SimulatedConsumer } from './consumer.js';
import type { KeptHead } from './kept-truth.js';
import type { Rejecting } from './staged-releases.js';

/** An owner that was told so long ago knows of it, however long his commit took. */
const KNOWN_MS = 1_500;

/** What the owners of a calm world were told of rejections, as it arrived. */
export class HeardRejections {
  /** World time, by `<owner> <incarnation> <address> <generation>.<version> <cohort>`. */
  readonly #heard = new Map<string, number>();

  constructor(private readonly nowMs: () => number) {}

  /** What it was told as the owner that it was before is not what it knows. */
  raised(owner: string): void {
    for (const key of [...this.#heard.keys()]) {
      if (key.startsWith(`${owner} `)) this.#heard.delete(key);
    }
  }

  acked(owner: string, { incarnation, items }: Ack): void {
    for (const { address, generation, version, cohort = '', state } of items) {
      if (state !== 'rejected') continue;
      const key = `${owner} ${incarnation} ${address} ${generation}.${version} ${cohort}`;
      if (!this.#heard.has(key)) this.#heard.set(key, this.nowMs());
    }
  }

  /** Candidates of a release that live, and reject what was committed last, as their owner must know. */
  of(
    release: string,
    { owner, head }: { readonly owner: string; readonly head: KeptHead },
    consumers: readonly SimulatedConsumer[],
  ): Rejecting[] {
    const told = head.releases.find(({ id }) => id === release);
    if (told === undefined) return [];
    return consumers
      .filter((consumer) => consumer.isHeard && isReached(told, consumer.who))
      .filter(({ incarnation, address, cohort }) => {
        const at = `${address} ${head.generation}.${head.version}`;
        const key = `${owner} ${incarnation} ${at} ${cohort(head.releases)}`;
        return this.nowMs() - (this.#heard.get(key) ?? Infinity) > KNOWN_MS;
      })
      .map(({ id, who: { workload } }) => ({ id, workload }));
  }
}
