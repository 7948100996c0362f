import { byTurns } from '../lib/by-turns.mjs';
import { compare } from '../lib/comparison.mjs';
import { closedLoop, openLoop } from '../lib/load.mjs';
import { measure, openSides } from './calls.mjs';

const TITLE = 'Three nodes at a steady rate';
const WARM_UP_SECONDS = 3;
const P99 = { side: 'pawl', column: 'p99 ms', of: 'value' };
const CASES = [
  {
    name: 'puts at 100 per second',
    perSecond: 100,
    seconds: 5,
    issue: 'put',
    bars: [{ ...P99, atMost: 20 }],
  },
  {
    name: 'linearizable reads at 5,000 per second, all members',
    perSecond: 5_000,
    seconds: 3,
    issue: 'readAll',
    bars: [{ ...P99, atMost: 5 }],
  },
];

/** What a service does, rather than the most that is possible. @param {import('../lib/bench.mjs').Bench} bench */
export function benchPaced(bench) {
  return bench.step(TITLE, (step) =>
    bench.pair({ nodes: 3 }, async ({ pawl, etcd }) => {
      const sides = await openSides({ pawl, etcd });
      const comparisons = [];
      for (const { name, perSecond, seconds, issue, bars } of CASES) {
        step.update(name);
        const pace = (own, forSeconds) =>
          openLoop({ perSecond, seconds: forSeconds, issue: own[issue] });
        for (const { own } of Object.values(sides)) {
          await closedLoop({ callers: 64, seconds: WARM_UP_SECONDS, issue: own[issue] });
        }
        const results = await byTurns(bench.passes, sides, async ({ cluster, own }) => {
          await cluster.compact();
          return measure(cluster, () => pace(own, seconds));
        });
        comparisons.push(compare({ title: name, sides: results, bars }));
      }
      await bench.noteBlocks(TITLE, pawl);
      for (const { own } of Object.values(sides)) own.close();
      return { title: TITLE, comparisons };
    }),
  );
}
