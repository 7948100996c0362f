import { parseArgs } from 'node:util';
import { seededRng } from '@pawl/kernel';
import { Cluster } from './cluster/cluster.js';
import { etcdQuorum } from './cluster/etcd-quorum.js';
import { pawlQuorum } from './cluster/pawl-quorum.js';
import { FAULTS } from './faults/catalogue.js';
import { pick } from './faults/fault.js';
import { Observer } from './history/observer.js';
import { runHistory } from './history/run-history.js';

export async function main(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seed: { type: 'string', default: '1' },
      nodes: { type: 'string', default: '3' },
      histories: { type: 'string', default: '1' },
      only: { type: 'string', default: '' },
      etcd: { type: 'string' },
    },
  });
  const kind = values.etcd === undefined ? pawlQuorum() : etcdQuorum(values.etcd);
  const cluster = await Cluster.start({ kind, nodes: Number(values.nodes) });
  const observer = new Observer(cluster);
  try {
    for (let seed = Number(values.seed), left = Number(values.histories); left > 0; left -= 1) {
      const rng = seededRng(seed);
      const wanted = FAULTS.filter(({ name }) => name.includes(values.only));
      const faults = Array.from({ length: 2 }, () => pick(rng, wanted));
      const since = performance.now();
      const { violations, ...report } = await runHistory({
        cluster,
        observer,
        seed,
        faults,
        compacts: true,
      });
      console.log(
        seed,
        faults.map(({ name }) => name).join(' + '),
        Math.round(performance.now() - since),
        JSON.stringify(report),
      );
      for (const { rule, text } of violations.slice(0, 10)) console.log(rule, text.slice(0, 1500));
      seed += 1;
    }
  } finally {
    await observer.stop();
    await cluster.stop();
  }
}
