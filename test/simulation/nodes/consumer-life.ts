import { makesTrouble } from './cohort-rules.js';
import { SETTLED_MS } from './consumer.js';
import type { SimulatedConsumer, Temper } from './consumer.js';
import type { NodesWorld } from './nodes-world.js';
import { REGIONS, STAGED_CONSUMERS, TEMPERS } from './staged-scenery.js';

const EVERY_MS = 1_500;
/** Longer than a consumer may be silent and still be live. */
const SILENT_MS = 4_000;
const AWAY_MS = 12_000;

/** Instances come and go, move, die of what they run, and are cut off, as instances of services do. */
export class ConsumerLife {
  readonly #regions = new Map<string, string>();
  /** What killed whom. */
  readonly #deaths = new Set<string>();

  constructor(private readonly world: NodesWorld) {}

  temper(index: number): Temper {
    const { workload = 'shop' } = STAGED_CONSUMERS[index] ?? {};
    const { rng } = this.world;
    const known = this.#regions.get(`${index}`);
    const region = known === undefined || rng.below(4) === 0 ? this.#anyRegion() : known;
    this.#regions.set(`${index}`, region);
    return { workload, labels: { region }, trouble: index % TEMPERS };
  }

  /** Most are there from the beginning. */
  start(): void {
    const { world } = this;
    for (const consumer of world.consumers) {
      if (world.rng.below(3) > 0) consumer.start();
      else this.#later(consumer, 0, AWAY_MS);
    }
    this.#next();
  }

  /** It runs something else: some die of that, once. */
  applied(consumer: SimulatedConsumer, version: number): void {
    const { running, temper, id } = consumer;
    const text = running?.content.text ?? '';
    const death = `${id} ${running?.head.generation} ${version} ${running?.head.cohort ?? ''}`;
    if (text === '' || temper.trouble === null || this.#deaths.has(death)) return;
    if (!makesTrouble(JSON.parse(text) as never, 'deadly', temper.trouble)) return;
    this.#deaths.add(death);
    this.world.later(300 * this.world.rng.next(), () => {
      if (!consumer.isRunning || this.world.isOver) return;
      this.world.reached('consumer died of what it ran');
      consumer.kill();
      this.#later(consumer, SILENT_MS / 4, 2 * SILENT_MS);
    });
  }

  #next(): void {
    const { world } = this;
    world.later(EVERY_MS * 2 * world.rng.next(), () => {
      if (world.isOver) return;
      const consumer = world.consumers[world.rng.below(world.consumers.length)];
      if (consumer?.isRunning === true) this.#strike(consumer);
      this.#next();
    });
  }

  #strike(consumer: SimulatedConsumer): void {
    const { world } = this;
    const { time, connection } = consumer;
    switch (world.rng.below(4)) {
      case 0:
        world.reached('consumer killed');
        consumer.kill();
        return this.#later(consumer, 20, SILENT_MS);
      case 1:
        world.reached('consumer left');
        consumer.leave();
        return this.#later(consumer, 500, AWAY_MS);
      case 2:
        world.reached('consumer paused');
        time.pause();
        return this.#harm(consumer, () => time.resume());
      default:
        world.reached('consumer cut off from NATS');
        connection.cut();
        return this.#harm(consumer, () => connection.heal());
    }
  }

  #harm(consumer: SimulatedConsumer, end: () => void): void {
    const { world } = this;
    consumer.harmedUntilMs = Infinity;
    world.later(SILENT_MS * 2 * world.rng.next(), () => {
      end();
      consumer.harmedUntilMs = world.nowMs() + SETTLED_MS;
    });
  }

  #later(consumer: SimulatedConsumer, least: number, most: number): void {
    this.world.later(least + this.world.rng.next() * (most - least), () => {
      if (!consumer.isRunning) consumer.start();
    });
  }

  #anyRegion(): string {
    return REGIONS[this.world.rng.below(REGIONS.length)] ?? 'eu';
  }
}
