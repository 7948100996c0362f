import { connect } from '@pawl/sdk';
import { openCurrent } from './lib/open-current.mjs';
import { printTable } from './lib/report.mjs';
import { call, promote } from './lib/stack.mjs';

/** So short that many passes are not interrupted by another process. */
const ROUNDS = 200_000;
/** Even: each side goes first, and last, equally often. */
const PASSES = 100;
/** Passes before the first that counts, so that every loop has been compiled. */
const WARM_UP = 40;
const KEYS = 1_000;
/** Both have the same document; a loop takes turns, so that no read can be moved out of it. */
const ADDRESSES = ['reads/app', 'reads/twin'];

/** Nanoseconds per read of local memory, beside a plain property and a Map, and per report of health. */
export async function benchReads(stack) {
  for (const address of ADDRESSES) {
    await call(stack.url, 'PUT', `/v1/config/${address}`, documentOf());
    await promote(stack.url, address);
  }
  const client = await connect({ servers: stack.natsUrl, workload: 'bench', consumerId: 'reader' });
  try {
    const scopes = [];
    for (const address of ADDRESSES) scopes.push(await openCurrent(client, address));
    printReads(pairsOf(scopes));
    printReports(scopes);
  } finally {
    await client.close();
  }
}

function documentOf() {
  const groups = Array.from({ length: 10 }, (_, group) => [
    `g${group}`,
    Object.fromEntries(
      Array.from({ length: KEYS / 10 }, (_, key) => [`k${key}`, group * 100 + key]),
    ),
  ]);
  return { a: { b: 7 }, ...Object.fromEntries(groups) };
}

/** The same source on both sides of a pair, over holders of equal documents. */
function pairsOf(scopes) {
  const plain = scopes.map(({ current }) => ({
    current: freezeDeep(JSON.parse(JSON.stringify(current))),
  }));
  const paths = Object.entries(documentOf())
    .filter(([name]) => name !== 'a')
    .flatMap(([group, values]) => Object.keys(values).map((key) => `${group}.${key}`));
  const all = ['a.b', ...paths];
  const maps = scopes.map((scope) => new Map(all.map((path) => [path, scope.get(path)])));
  const one = 'subject.current.a.b';
  const get = "subject.get('a.b')";
  const many = 'subject.get(paths[n % paths.length])';
  return [
    ['plain property holder.current.a.b', loopOver(one, plain, paths)],
    ['scope.current.a.b', loopOver(one, scopes, paths)],
    ["Map.get('a.b')", loopOver(get, maps, paths)],
    ["scope.get('a.b')", loopOver(get, scopes, paths)],
    [`Map.get over ${KEYS} keys`, loopOver(many, maps, paths)],
    [`scope.get over ${KEYS} paths`, loopOver(many, scopes, paths)],
  ];
}

function printReads(sides) {
  const best = bestOf(sides);
  printTable(
    `Local reads, best of ${PASSES} passes by turns: other processes only ever make a read slower`,
    ['what', 'ns per read', 'ratio to the line above'],
    sides.map(([name], index) => {
      return [name, best[index], index % 2 === 1 ? best[index] / best[index - 1] : ''];
    }),
  );
}

/** What it costs a service to report on each request. */
function printReports(scopes) {
  const counters = scopes.map(() => ({ count: 0 }));
  const report = 'subject.health.report({ errors: n & 1, latencyMs: n & 255 })';
  const sides = [
    ['plain counter.count += 1', loopOver('(subject.count += 1)', counters, [])],
    ['scope.health.report({ errors, latencyMs })', loopOver(`(${report}, 1)`, scopes, [])],
  ];
  const best = bestOf(sides);
  printTable(
    `Reports of health, best of ${PASSES} passes by turns`,
    ['what', 'ns per report'],
    sides.map(([name], index) => [name, best[index]]),
  );
}

/** Nanoseconds per round of each side, the best of all passes. */
function bestOf(sides) {
  const best = sides.map(() => Infinity);
  const order = sides.map((_, index) => index);
  for (let pass = 0; pass < WARM_UP + PASSES; pass += 1) {
    for (const index of pass % 2 === 0 ? order : order.toReversed()) {
      const ns = sides[index][1]();
      if (pass >= WARM_UP) best[index] = Math.min(best[index], ns);
    }
  }
  return best;
}

let loops = 0;

/**
 * A function of its own for each side, so that the engine learns nothing on one side about the
 * other; of one source it would make one function, hence the number.
 */
function loopOver(expression, subjects, paths) {
  loops += 1;
  const sum = new Function(
    'subjects',
    'paths',
    'rounds',
    `let sum = 0; // ${loops}
    for (let n = 0; n < rounds; n += 1) {
      const subject = subjects[n & 1];
      sum += ${expression};
    }
    return sum;`,
  );
  return () => {
    const before = process.hrtime.bigint();
    const read = sum(subjects, paths, ROUNDS);
    const ns = Number(process.hrtime.bigint() - before) / ROUNDS;
    if (read === 0) throw new Error('nothing was read');
    return ns;
  };
}

function freezeDeep(value) {
  if (typeof value !== 'object' || value === null) return value;
  for (const each of Object.values(value)) freezeDeep(each);
  return Object.freeze(value);
}
