import { byTurns } from '../lib/by-turns.mjs';
import { Callers } from '../lib/callers.mjs';
import { compare } from '../lib/comparison.mjs';
import { closedLoop } from '../lib/load.mjs';

const SECONDS = 1.5;
const WARM_UP_SECONDS = 1;
const SIZES = [1, 3];
const CALLERS = [1, 64];
const FEW_AND_QUICK = { side: 'pawl', column: 'p50 ms', of: 'ratio' };
const MANY_AND_FAST = { side: 'pawl', column: 'per second', of: 'ratio' };

/**
 * @typedef {import('../lib/bench.mjs').Bench} Bench
 * @typedef {{ name: string, callers: number, nodes: number, issue: (callers: Callers) => import('../lib/load.mjs').Issue, bars?: any[] }} Case
 */

/** Puts of 1 KB at the leader. @param {Bench} bench */
export function benchPuts(bench) {
  return benchCases(bench, 'Puts of 1 KB at the leader', (nodes) =>
    CALLERS.map((callers) => ({
      name: 'put',
      callers,
      nodes,
      issue: (own) => own.put,
      bars: nodes === 3 ? [putBar(callers)] : [],
    })),
  );
}

function putBar(callers) {
  return callers === 1 ? { ...FEW_AND_QUICK, atMost: 2 } : { ...MANY_AND_FAST, atLeast: 0.5 };
}

/** Reads of one key of 1 KB. @param {Bench} bench */
export function benchReads(bench) {
  return benchCases(bench, 'Reads of one key of 1 KB', (nodes) =>
    CALLERS.flatMap((callers) => {
      const bars = nodes === 3 && callers === 64 ? [{ ...MANY_AND_FAST, atLeast: 0.5 }] : [];
      const one = { callers, nodes };
      const everywhere = nodes === 1 ? '' : ', all members';
      return [
        ...(nodes === 1
          ? []
          : [{ ...one, name: 'linearizable, leader', issue: (own) => own.readLeader, bars }]),
        { ...one, name: `linearizable${everywhere}`, issue: (own) => own.readAll, bars },
        { ...one, name: `serializable${everywhere}`, issue: (own) => own.readAllSerializable },
      ];
    }),
  );
}

/** @param {Bench} bench @param {string} title @param {(nodes: number) => Case[]} casesOf */
async function benchCases(bench, title, casesOf) {
  const comparisons = [];
  for (const nodes of SIZES) {
    const cases = casesOf(nodes);
    const label = `${title}: ${counted(nodes, 'node')}`;
    await bench.step(label, (step) =>
      bench.pair({ nodes }, async (clusters) => {
        for (const [at, one] of cases.entries()) {
          step.progress(at, cases.length, titleOf(one));
          comparisons.push(await benchCase(bench, clusters, one));
        }
        await bench.noteBlocks(label, clusters.pawl);
      }),
    );
  }
  return { title, comparisons };
}

/** @param {Bench} bench @param {{ pawl: any, etcd: any }} clusters @param {Case} one */
async function benchCase(bench, { pawl, etcd }, one) {
  const { callers, issue } = one;
  const sides = {
    pawl: { cluster: pawl, own: await Callers.open(pawl) },
    etcd: { cluster: etcd, own: await Callers.open(etcd) },
  };
  for (const { own } of Object.values(sides)) {
    await own.fill();
    await closedLoop({ callers, seconds: WARM_UP_SECONDS, issue: issue(own) });
  }
  const results = await byTurns(bench.passes, sides, async ({ cluster, own }) => {
    await cluster.compact();
    return measure(cluster, () => closedLoop({ callers, seconds: SECONDS, issue: issue(own) }));
  });
  for (const { own } of Object.values(sides)) own.close();
  return compare({ title: titleOf(one), sides: results, bars: one.bars ?? [] });
}

/** @param {Case} one */
function titleOf({ name, nodes, callers }) {
  return `${counted(nodes, 'node')}, ${counted(callers, 'caller')}, ${name}`;
}

function counted(count, what) {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}

/** @param {import('../lib/cluster.mjs').Cluster} cluster @param {() => Promise<import('../lib/load.mjs').Load>} run */
export async function measure(cluster, run) {
  const before = await cluster.cpu();
  const load = await run();
  return {
    'p50 ms': load.p50,
    'p99 ms': load.p99,
    'per second': load.perSecond,
    'server CPU us': ((await cluster.cpu()) - before) / load.count,
    failed: load.failed,
  };
}
