import { byTurns } from '../lib/by-turns.mjs';
import { Callers, keyOf, VALUE } from '../lib/callers.mjs';
import { compare } from '../lib/comparison.mjs';
import { closedLoop } from '../lib/load.mjs';
import { NpmClient } from '../lib/npm-client.mjs';
import { measure } from './calls.mjs';

const CALLERS = 64;
const SECONDS = 1.5;
const WARM_UP_SECONDS = 3;
const TITLE = 'Three nodes, 64 callers, with the `etcd3` package of npm';
const RATE = { column: 'per second', of: 'ratio' };

/** The client that people install, beside the lean one. @param {import('../lib/bench.mjs').Bench} bench */
export function benchNpm(bench) {
  return bench.step(TITLE, (step) =>
    bench.pair({ nodes: 3 }, async ({ pawl, etcd }) => {
      const lean = await Callers.open(pawl);
      await lean.fill();
      const ours = new NpmClient(pawl.endpoints[await pawl.leader()]);
      const theirs = new NpmClient(etcd.endpoints[await etcd.leader()]);
      const comparisons = [];
      for (const [name, atLeast] of [
        ['put', 1.3],
        ['linearizable get', 1.5],
      ]) {
        step.update(name);
        const sides = {
          'pawl, lean client': {
            cluster: pawl,
            issue: name === 'put' ? lean.put : lean.readLeader,
          },
          'pawl, etcd3': { cluster: pawl, issue: issueOf(ours, name) },
          'etcd, etcd3': { cluster: etcd, issue: issueOf(theirs, name) },
        };
        const results = await measureSides(bench, sides);
        comparisons.push(
          compare({
            title: name,
            sides: results,
            bars: [
              { ...RATE, side: 'pawl, lean client', atLeast },
              { ...RATE, side: 'pawl, etcd3', atLeast: 1 },
            ],
          }),
        );
      }
      await bench.noteBlocks(TITLE, pawl);
      for (const client of [lean, ours, theirs]) client.close();
      return { title: TITLE, comparisons };
    }),
  );
}

async function measureSides(bench, sides) {
  for (const { issue } of Object.values(sides)) {
    await closedLoop({ callers: CALLERS, seconds: WARM_UP_SECONDS, issue });
  }
  return byTurns(bench.passes, sides, async ({ cluster, issue }) => {
    await cluster.compact();
    return measure(cluster, () => closedLoop({ callers: CALLERS, seconds: SECONDS, issue }));
  });
}

/** @param {NpmClient} client @param {string} name @returns {import('../lib/load.mjs').Issue} */
function issueOf(client, name) {
  return (caller, round, done) => {
    const key = keyOf(caller * 17 + round);
    const call = name === 'put' ? client.put(key, VALUE) : client.get(key);
    call.then(() => done(null), done);
  };
}
