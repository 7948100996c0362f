import { byTurns } from '../lib/by-turns.mjs';
import { VALUE } from '../lib/callers.mjs';
import { compare } from '../lib/comparison.mjs';
import { deferred } from '../lib/deferred.mjs';
import { PUT, putRequest, readWatchAnswer, WATCH, watchRequest } from '../lib/etcd-messages.mjs';
import { residentBytes, writeCalls } from '../lib/proc.mjs';

const TITLE = 'One node, one put of 1 KB to many watches on its key';
const SHAPES = [
  { watches: 10_000, connections: 100 },
  { watches: 10_000, connections: 1_000 },
  { watches: 50_000, connections: 100 },
  { watches: 50_000, connections: 1_000 },
];
/** Puts in a pass. */
const ROUNDS = 3;
const IDLE_PUTS = 20;
const KEY = 'watched';
const OPENED_AT_ONCE = 50;
const DEADLINE_MS = 60_000;
const MB = 1_000_000;

/** @param {import('../lib/bench.mjs').Bench} bench */
export function benchWatches(bench) {
  return bench.step(TITLE, async (step) => {
    const comparisons = [];
    for (const shape of SHAPES) {
      const title = `${shape.watches.toLocaleString('en-US')} watches, ${shape.connections.toLocaleString('en-US')} connections`;
      comparisons.push(
        await bench.pair({ nodes: 1 }, async (clusters) => {
          const sides = {};
          for (const [name, cluster] of Object.entries(clusters)) {
            step.update(`${title}: opening, ${name}`);
            sides[name] = await FanOut.open(cluster, shape);
            await sides[name].round();
          }
          step.update(title);
          const results = await byTurns(bench.passes * ROUNDS, sides, (side) => side.round());
          await bench.noteBlocks(title, clusters.pawl);
          for (const side of Object.values(sides)) side.close();
          return compare({ title, sides: results, bars: BARS });
        }),
      );
    }
    return { title: TITLE, comparisons };
  });
}

const BARS = [
  { side: 'pawl', column: 'answer / idle', of: 'value', atMost: 3 },
  { side: 'pawl', column: 'writes per connection', of: 'value', atMost: 1.1 },
];

/** Watches of one cluster, a stream per connection. */
class FanOut {
  #seen = 0;
  #lastAt = 0;
  #all = deferred();

  constructor(cluster, { watches, connections }) {
    this.cluster = cluster;
    this.watches = watches;
    this.count = connections;
    this.connections = [];
  }

  static async open(cluster, shape) {
    const fanOut = new FanOut(cluster, shape);
    const each = shape.watches / shape.connections;
    for (let at = 0; at < shape.connections; at += OPENED_AT_ONCE) {
      await Promise.all(
        Array.from({ length: Math.min(OPENED_AT_ONCE, shape.connections - at) }, () =>
          fanOut.#open(each),
        ),
      );
    }
    fanOut.writer = await cluster.connect(0);
    return fanOut;
  }

  /** One more connection with its watches; resolves when all were created. */
  async #open(watches) {
    const connection = await this.cluster.connect(0);
    this.connections.push(connection);
    const ready = deferred();
    let created = 0;
    const send = connection.stream(WATCH, (error, message) => {
      if (error !== null) {
        ready.reject(error);
        this.#all.reject(error);
        return;
      }
      const answer = readWatchAnswer(message);
      if (answer.canceled) ready.reject(new Error('a watch was refused'));
      if (answer.created && (created += 1) === watches) ready.resolve();
      if (answer.events > 0) this.#told(answer.events);
    });
    for (let at = 0; at < watches; at += 1) send(watchRequest(KEY));
    await ready.promise;
  }

  #told(events) {
    this.#seen += events;
    this.#lastAt = performance.now();
    if (this.#seen === this.watches) this.#all.resolve();
  }

  /** One put until the last watch has it, and one to a key that nobody watches. */
  async round() {
    const { pid } = this.cluster.members[0].service;
    const idle = [];
    for (let at = 0; at < IDLE_PUTS; at += 1) idle.push(await this.#put('unwatched'));
    idle.sort((a, b) => a - b);
    this.#seen = 0;
    this.#all = deferred();
    const callsBefore = await writeCalls(pid);
    const since = performance.now();
    const timer = setTimeout(() => this.#all.reject(new Error('not all were told')), DEADLINE_MS);
    const [answered] = await Promise.all([this.#put(KEY), this.#all.promise]);
    clearTimeout(timer);
    const calls = (await writeCalls(pid)) - callsBefore;
    return {
      'last ms': this.#lastAt - since,
      'answer ms': answered,
      'idle ms': idle[IDLE_PUTS / 2],
      'answer / idle': answered / idle[IDLE_PUTS / 2],
      'writes per connection': calls / this.count,
      'resident MB': (await residentBytes(pid)) / MB,
    };
  }

  async #put(key) {
    const since = performance.now();
    await this.writer.call(PUT, putRequest(key, VALUE));
    return performance.now() - since;
  }

  close() {
    for (const connection of [...this.connections, this.writer]) connection.close();
  }
}
