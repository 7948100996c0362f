import { connect } from '@pawl/sdk';
import { openCurrent } from './lib/open-current.mjs';
import { median, printTable } from './lib/report.mjs';
import { call, promote } from './lib/stack.mjs';

const ROUNDS = 5_000_000;
const PASSES = 7;
const KEYS = 1_000;

/** Nanoseconds per read of local memory, beside a plain property and a Map. */
export async function benchReads(stack) {
  const groups = Array.from({ length: 10 }, (_, group) => [
    `g${group}`,
    Object.fromEntries(
      Array.from({ length: KEYS / 10 }, (_, key) => [`k${key}`, group * 100 + key]),
    ),
  ]);
  const document = { a: { b: 7 }, ...Object.fromEntries(groups) };
  await call(stack.url, 'PUT', '/v1/config/reads/app', document);
  await promote(stack.url, 'reads/app');
  const client = await connect({ servers: stack.natsUrl, workload: 'bench', consumerId: 'reader' });
  try {
    const scope = await openCurrent(client, 'reads/app');
    const paths = groups.flatMap(([group, values]) =>
      Object.keys(values).map((key) => `${group}.${key}`),
    );
    const map = new Map(paths.map((path, index) => [path, index]));
    const one = new Map([['a.b', 7]]);
    const holder = { current: Object.freeze({ a: Object.freeze({ b: 7 }) }) };
    const sides = {
      'plain property holder.current.a.b': () => loop((n) => (n === -1 ? 0 : holder.current.a.b)),
      'scope.current.a.b': () => loop((n) => (n === -1 ? 0 : scope.current.a.b)),
      "Map.get('a.b')": () => loop((n) => (n === -1 ? 0 : one.get('a.b'))),
      "scope.get('a.b')": () => loop((n) => (n === -1 ? 0 : scope.get('a.b'))),
      [`Map.get over ${KEYS} keys`]: () => loop((n) => map.get(paths[n % KEYS])),
      [`scope.get over ${KEYS} paths`]: () => loop((n) => scope.get(paths[n % KEYS])),
    };
    const results = Object.fromEntries(Object.keys(sides).map((name) => [name, []]));
    for (let pass = 0; pass <= PASSES; pass += 1) {
      for (const [name, run] of Object.entries(sides)) {
        const ns = run();
        if (pass > 0) results[name].push(ns);
      }
    }
    const names = Object.keys(sides);
    printTable(
      `Local reads, median of ${PASSES} passes by turns`,
      ['what', 'ns per read', 'ratio to the line above'],
      names.map((name, index) => {
        const ratio = (other) => median(results[name].map((ns, pass) => ns / results[other][pass]));
        return [name, median(results[name]), index % 2 === 1 ? ratio(names[index - 1]) : ''];
      }),
    );
  } finally {
    await client.close();
  }
}

function loop(read) {
  let sum = 0;
  const before = process.hrtime.bigint();
  for (let n = 0; n < ROUNDS; n += 1) sum += read(n);
  const ns = Number(process.hrtime.bigint() - before) / ROUNDS;
  if (sum === 0) throw new Error('nothing was read');
  return ns;
}
