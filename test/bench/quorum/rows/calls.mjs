import { byTurns } from '../lib/by-turns.mjs';
import { Callers } from '../lib/callers.mjs';
import { compare } from '../lib/comparison.mjs';
import { closedLoop } from '../lib/load.mjs';

const SECONDS = 1.5;
/** A process of ours compiles what runs often only after thousands of calls. */
const WARM_UP = { callers: 64, seconds: 3 };
const SIZES = [1, 3];
const CALLERS = [1, 64];
const FEW_AND_QUICK = { side: 'pawl', column: 'p50 ms', of: 'ratio' };
const MANY_AND_FAST = { side: 'pawl', column: 'per second', of: 'ratio' };

/**
 * @typedef {import('../lib/bench.mjs').Bench} Bench
 * @typedef {import('../lib/cluster.mjs').Cluster} Cluster
 * @typedef {{ cluster: Cluster, own: Callers }} Side
 * @typedef {'put' | 'readLeader' | 'readAll' | 'readAllSerializable'} IssueName of {@link Callers}
 * @typedef {{ name: string, callers: number, nodes: number, issue: IssueName, bars?: any[] }} Case
 */

/** Puts of 1 KB at the leader. @param {Bench} bench */
export function benchPuts(bench) {
  return benchCases(bench, 'Puts of 1 KB at the leader', (nodes) =>
    CALLERS.map((callers) => ({
      name: 'put',
      callers,
      nodes,
      issue: 'put',
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
          : [{ ...one, name: 'linearizable, leader', issue: 'readLeader', bars }]),
        { ...one, name: `linearizable${everywhere}`, issue: 'readAll', bars },
        { ...one, name: `serializable${everywhere}`, issue: 'readAllSerializable' },
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
        const sides = await openSides(clusters);
        for (const issue of new Set(cases.map((one) => one.issue))) {
          step.update('warming up');
          for (const { own } of Object.values(sides)) {
            await closedLoop({ ...WARM_UP, issue: own[issue] });
          }
        }
        for (const [at, one] of cases.entries()) {
          step.progress(at, cases.length, titleOf(one));
          comparisons.push(await benchCase(bench, sides, one));
        }
        for (const { own } of Object.values(sides)) own.close();
        await bench.noteBlocks(label, clusters.pawl);
      }),
    );
  }
  return { title, comparisons };
}

/** @param {Record<string, Cluster>} clusters */
export async function openSides(clusters) {
  /** @type {Record<string, Side>} */
  const sides = {};
  for (const [name, cluster] of Object.entries(clusters)) {
    const own = await Callers.open(cluster);
    await own.fill();
    sides[name] = { cluster, own };
  }
  return sides;
}

/** @param {Bench} bench @param {Record<string, Side>} sides @param {Case} one */
async function benchCase(bench, sides, one) {
  const { callers, issue } = one;
  const results = await byTurns(bench.passes, sides, async ({ cluster, own }) => {
    await cluster.compact();
    return measure(cluster, () => closedLoop({ callers, seconds: SECONDS, issue: own[issue] }));
  });
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
