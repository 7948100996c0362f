import { delay } from '../../../../infra/dev/lib/delay.mjs';
import { median } from '../../lib/report.mjs';
import { byTurns } from '../lib/by-turns.mjs';
import { compare } from '../lib/comparison.mjs';
import { deferred } from '../lib/deferred.mjs';
import {
  deletedKeys,
  LEASE_GRANT,
  leaseGrantRequest,
  PUT,
  putRequest,
  WATCH,
  watchRequest,
} from '../lib/etcd-messages.mjs';

const TITLE = 'Three nodes, leases of 2 s: how long after its TTL a watch sees the key go';
const LEASES = 30;
const TTL_SECONDS = 2;
/** Spread over more than the period of any sweep. */
const GRANT_EVERY_MS = 37;
const DEADLINE_MS = 15_000;
const VALUE = Buffer.from('held');

/** @param {import('../lib/bench.mjs').Bench} bench */
export function benchLeases(bench) {
  return bench.step(TITLE, (step) =>
    bench.pair({ nodes: 3 }, async (sides) => {
      let pass = 0;
      const results = await byTurns(bench.passes, sides, async (cluster) => {
        step.progress(pass, bench.passes * 2);
        pass += 1;
        return expire(cluster, pass);
      });
      await bench.noteBlocks(TITLE, sides.pawl);
      const title = `${LEASES} leases in a pass`;
      const bars = [
        { side: 'pawl', column: 'median ms', of: 'ratio', atMost: 0.4 },
        { side: 'pawl', column: 'early', of: 'value', atMost: 0 },
      ];
      return { title: TITLE, comparisons: [compare({ title, sides: results, bars })] };
    }),
  );
}

/** Counted from before the grant was sent: nothing that is early by this clock is just on time. */
async function expire(cluster, pass) {
  const connection = await cluster.connect(await cluster.leader());
  const due = new Map();
  const late = [];
  const created = deferred();
  const all = deferred();
  const send = connection.stream(WATCH, (error, message) => {
    if (error !== null) all.reject(error);
    created.resolve();
    for (const key of deletedKeys(message)) {
      late.push(performance.now() - due.get(key));
      if (late.length === LEASES) all.resolve();
    }
  });
  send(watchRequest('lease/', { prefix: true }));
  await created.promise;
  const granting = [];
  for (let at = 0; at < LEASES; at += 1) {
    granting.push(
      grant(connection, { id: pass * 1_000 + at + 1, key: `lease/${pass}/${at}`, due }),
    );
    await delay(GRANT_EVERY_MS);
  }
  await Promise.all(granting);
  const timer = setTimeout(() => all.reject(new Error('a lease did not expire')), DEADLINE_MS);
  await all.promise.finally(() => clearTimeout(timer));
  connection.close();
  return {
    'median ms': median(late),
    'worst ms': Math.max(...late),
    early: late.filter((ms) => ms < 0).length,
  };
}

async function grant(connection, { id, key, due }) {
  due.set(key, performance.now() + TTL_SECONDS * 1_000);
  await connection.call(LEASE_GRANT, leaseGrantRequest(id, TTL_SECONDS));
  await connection.call(PUT, putRequest(key, VALUE, id));
}
