import { delay } from '../../../../infra/dev/lib/delay.mjs';
import { median } from '../../lib/report.mjs';
import { byTurns } from '../lib/by-turns.mjs';
import { VALUE } from '../lib/callers.mjs';
import { compare } from '../lib/comparison.mjs';
import { PUT, putRequest } from '../lib/etcd-messages.mjs';

const TITLE = 'Three nodes, kill -9 of the leader to the first acknowledged put at a survivor';
const TRIALS = 10;
/** etcd's defaults. */
const EQUAL = { heartbeatMs: 100, electionMs: 1_000 };
const TRY_EVERY_MS = 10;
const GIVE_UP_MS = 30_000;
/** Between trials, so that a kill falls anywhere between two heartbeats. */
const MOST_PAUSE_MS = 500;
const REQUEST = putRequest('failover', VALUE);

/** @param {import('../lib/bench.mjs').Bench} bench */
export function benchFailover(bench) {
  return bench.step(TITLE, (step) => {
    const starting = {
      'pawl, its defaults': bench.pawl({ nodes: 3 }),
      'pawl, 100/1,000 ms': bench.pawl({ nodes: 3, timing: EQUAL }),
      'etcd, 100/1,000 ms': bench.etcd({ nodes: 3, timing: EQUAL }),
    };
    return bench.with(starting, async (sides) => {
      let done = 0;
      const trials = await byTurns(TRIALS, sides, async (cluster) => {
        step.progress(done, TRIALS * Object.keys(sides).length);
        done += 1;
        return failOver(cluster);
      });
      const results = Object.fromEntries(
        Object.entries(trials).map(([name, times]) => [name, [summarize(times)]]),
      );
      const against = (side, column, atMost) => ({ side, column, of: 'ratio', atMost });
      const bars = [
        against('pawl, 100/1,000 ms', 'median ms', 1),
        against('pawl, 100/1,000 ms', 'worst ms', 1),
        against('pawl, its defaults', 'median ms', 0.5),
      ];
      const title = `${TRIALS} trials each`;
      return { title: TITLE, comparisons: [compare({ title, sides: results, bars })] };
    });
  });
}

/** @param {number[]} times */
function summarize(times) {
  return {
    'median ms': median(times),
    'best ms': Math.min(...times),
    'worst ms': Math.max(...times),
  };
}

/** @param {import('../lib/cluster.mjs').Cluster} cluster @returns {Promise<number>} milliseconds */
async function failOver(cluster) {
  await cluster.ready();
  await delay(Math.random() * MOST_PAUSE_MS);
  const leader = await cluster.leader();
  const survivors = cluster.members.map((_, at) => at).filter((at) => at !== leader);
  const connections = await Promise.all(survivors.map((at) => cluster.connect(at)));
  const since = performance.now();
  const killed = cluster.members[leader].service.stop({ force: true });
  const took = await firstPut(connections, since);
  for (const connection of connections) connection.close();
  await killed;
  await cluster.members[leader].start();
  return took;
}

/** A new put at each of them every 10 ms, whatever became of those before. */
function firstPut(connections, since) {
  return new Promise((resolve, reject) => {
    const timer = setInterval(() => {
      if (performance.now() - since > GIVE_UP_MS) {
        clearInterval(timer);
        reject(new Error('no put was acknowledged'));
      }
      for (const connection of connections) {
        connection.unary(PUT, REQUEST, (error) => {
          if (error !== null) return;
          clearInterval(timer);
          resolve(performance.now() - since);
        });
      }
    }, TRY_EVERY_MS);
  });
}
