import { byTurns } from '../lib/by-turns.mjs';
import { VALUE } from '../lib/callers.mjs';
import { compare } from '../lib/comparison.mjs';
import { PUT, putRequest } from '../lib/etcd-messages.mjs';
import { residentBytes } from '../lib/proc.mjs';
import { delay } from '../../../../infra/dev/lib/delay.mjs';

const TITLE = 'One node with 100,000 keys of 1 KB';
const KEYS = 100_000;
const IN_FLIGHT = 64;
/** For what was written last to be collected, or given back. */
const SETTLE_MS = 3_000;
const MB = 1_000_000;

/** Its memory, and from the start of the process after kill -9 to the first read. @param {import('../lib/bench.mjs').Bench} bench */
export function benchRestart(bench) {
  return bench.step(TITLE, (step) =>
    bench.pair({ nodes: 1 }, async (sides) => {
      const memory = {};
      for (const [name, cluster] of Object.entries(sides)) {
        step.update(`filling ${name}`);
        memory[name] = [await fill(cluster)];
      }
      await bench.noteBlocks('filling 100,000 keys', sides.pawl);
      step.update('restarting');
      const restarts = await byTurns(bench.passes, sides, restart);
      await bench.noteBlocks('restarting with 100,000 keys', sides.pawl);
      return [
        { title: `${TITLE}: memory`, comparisons: [compare({ title: 'resident', sides: memory })] },
        {
          title: `${TITLE}: kill -9, then from the start of the process to the first linearizable read`,
          comparisons: [compare({ title: 'restart', sides: restarts })],
        },
      ];
    }),
  );
}

/** @param {import('../lib/cluster.mjs').Cluster} cluster */
async function fill(cluster) {
  const before = await residentBytes(cluster.members[0].service.pid);
  const connection = await cluster.connect(0);
  let next = 0;
  const write = async () => {
    for (let at = next++; at < KEYS; at = next++) {
      await connection.call(PUT, putRequest(`restart/${String(at).padStart(6, '0')}`, VALUE));
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, write));
  connection.close();
  const full = await residentBytes(cluster.members[0].service.pid);
  await delay(SETTLE_MS);
  const settled = await residentBytes(cluster.members[0].service.pid);
  return {
    'empty MB': before / MB,
    'right after MB': full / MB,
    'settled MB': settled / MB,
    'for the keys MB': (settled - before) / MB,
  };
}

/** @param {import('../lib/cluster.mjs').Cluster} cluster */
async function restart(cluster) {
  const [member] = cluster.members;
  await member.service.stop({ force: true });
  const since = performance.now();
  await member.start({ waits: false });
  await cluster.ready();
  const ms = performance.now() - since;
  return { ms, 'resident MB': (await residentBytes(member.service.pid)) / MB };
}
