import pg from 'pg';
import { bareTransaction } from './lib/bare-transaction.mjs';
import { HttpConnection, measure } from './lib/http-load.mjs';
import { median, printTable } from './lib/report.mjs';
import { call, promote, startChild } from './lib/stack.mjs';

const PASSES = 3;
const SECONDS = 2;
/** Callers, and over how many roots they write: callers of one root share its shard's transactions. */
const LOADS = [
  { callers: 1, roots: 1 },
  { callers: 16, roots: 16 },
  { callers: 16, roots: 1 },
  { callers: 64, roots: 16 },
  { callers: 64, roots: 1 },
];
const ROOTS = Math.max(...LOADS.map(({ roots }) => roots));

/** What an operator would demand of such a document; every PUT is checked against it. */
const SCHEMA = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  type: 'object',
  required: ['service', 'limits', 'features', 'regions'],
  additionalProperties: false,
  properties: {
    service: { type: 'string', pattern: '^[a-z][a-z0-9-]{0,62}$' },
    caller: { type: 'integer', minimum: 0 },
    round: { type: 'number', minimum: 0 },
    limits: { $ref: '#/$defs/limits' },
    features: { type: 'array', maxItems: 64, items: { $ref: '#/$defs/feature' } },
    regions: {
      type: 'array',
      minItems: 1,
      uniqueItems: true,
      items: { enum: ['eu-west-1', 'eu-central-1', 'us-east-1', 'us-west-2', 'ap-south-1'] },
    },
    text: { type: 'string', maxLength: 1_000 },
  },
  $defs: {
    limits: {
      type: 'object',
      required: ['maxItems', 'maxTotalCents', 'timeoutMs'],
      additionalProperties: false,
      properties: {
        maxItems: { type: 'integer', minimum: 1, maximum: 500 },
        maxTotalCents: { type: 'integer', minimum: 1 },
        timeoutMs: { type: 'integer', minimum: 10, maximum: 60_000 },
      },
    },
    feature: {
      type: 'object',
      required: ['name', 'on'],
      additionalProperties: false,
      properties: { name: { type: 'string', pattern: '^[a-z0-9-]+$' }, on: { type: 'boolean' } },
    },
  },
};

/** About 500 bytes, another in each round. */
function documentOf(caller, round) {
  return JSON.stringify({
    service: 'checkout',
    caller,
    round,
    limits: { maxItems: 40, maxTotalCents: 500_000, timeoutMs: 800 },
    features: Array.from({ length: 8 }, (_, index) => ({
      name: `feature-${index}`,
      on: index % 2 === 0,
    })),
    regions: ['eu-west-1', 'eu-central-1', 'us-east-1', 'ap-south-1'],
    text: 'a configuration of ordinary size, as services have them',
  });
}

/** PUT beside the bare transaction, with and without HTTP, by turns. */
export async function benchPut(stack) {
  const bare = startChild('bare-put-server.mjs', [stack.postgresUrl]);
  const pool = new pg.Pool({ connectionString: stack.postgresUrl, max: 16 });
  try {
    const { port: barePort } = await bare.receive();
    for (let root = 0; root < ROOTS; root += 1) {
      await call(stack.url, 'PUT', `/v1/schema/bench${root}`, SCHEMA);
      await promote(stack.url, `bench${root}`);
    }
    for (const path of pathsOfAll()) {
      await call(stack.url, 'PUT', path, JSON.parse(documentOf(0, 0)));
    }
    await assertChecked(stack.url);
    const sides = {
      pawl: (load) => overHttp(stack.port, load),
      'fastify + transaction': (load) => overHttp(barePort, load),
      'bare transaction': (load) => overPool(pool, load),
    };
    for (const run of Object.values(sides)) await run({ callers: 16, roots: ROOTS });
    const rows = [];
    const shared = new Map();
    for (const load of LOADS) {
      const results = Object.fromEntries(Object.keys(sides).map((name) => [name, []]));
      for (let pass = 0; pass < PASSES; pass += 1) {
        for (const [name, run] of Object.entries(sides)) {
          const before = name === 'pawl' ? await commitsOf(stack.url) : null;
          results[name].push(await run(load));
          if (before !== null) shared.set(load, ratioOf(before, await commitsOf(stack.url)));
        }
      }
      rows.push(...rowsOf(load, results));
    }
    printTable(
      `PUT of ${documentOf(0, 0).length} bytes over an existing version, checked against a schema of ${JSON.stringify(SCHEMA).length} bytes, median of ${PASSES} passes by turns`,
      ['callers', 'roots', 'what', 'p50 ms', 'p99 ms', 'per second', 'p50 ratio', 'rate ratio'],
      rows,
    );
    printTable(
      'Changesets that share one transaction of a shard, in the last pass',
      ['callers', 'roots', 'changesets per transaction'],
      [...shared].map(([{ callers, roots }, ratio]) => [callers, roots, ratio]),
    );
  } finally {
    await pool.end();
    await bare.stop();
  }
}

/** Over fewer roots: addresses of the first ones only. */
function pathOf(caller, roots) {
  const address = caller * (ROOTS / roots);
  return `/v1/config/bench${address % ROOTS}/app${address}`;
}

async function commitsOf(url) {
  const text = await (await fetch(`${url}/metrics`)).text();
  const read = (name) => Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(text)[1]);
  return {
    transactions: read('pawl_commits_total'),
    changesets: read('pawl_committed_changesets_total'),
  };
}

function ratioOf(before, after) {
  return (after.changesets - before.changesets) / (after.transactions - before.transactions);
}

function pathsOfAll() {
  const ofLoad = ({ callers, roots }) =>
    Array.from({ length: callers }, (_, caller) => pathOf(caller, roots));
  return new Set(LOADS.flatMap(ofLoad));
}

/** The figures are of checked writes only if the schema refuses what it should. */
async function assertChecked(url) {
  const response = await fetch(`${url}${pathOf(0, ROOTS)}`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json', 'if-match': '*' },
    body: JSON.stringify({ service: 'checkout' }),
  });
  if (response.status !== 422)
    throw new Error(`the schema let a wrong document through: ${response.status}`);
}

function rowsOf({ callers, roots }, results) {
  const middle = (name, field) => median(results[name].map((result) => result[field]));
  const ratio = (name, field) =>
    median(results.pawl.map((result, pass) => result[field] / results[name][pass][field]));
  return Object.keys(results).map((name) => [
    callers,
    roots,
    name,
    middle(name, 'p50'),
    middle(name, 'p99'),
    middle(name, 'perSecond'),
    name === 'pawl' ? '' : ratio(name, 'p50'),
    name === 'pawl' ? '' : ratio(name, 'perSecond'),
  ]);
}

async function overHttp(port, { callers, roots }) {
  const connections = await Promise.all(
    Array.from({ length: callers }, () => HttpConnection.open(port)),
  );
  try {
    return await measure(callers, SECONDS, async (caller, round) => {
      const head = `PUT ${pathOf(caller, roots)} HTTP/1.1\r\ncontent-type: application/json\r\nif-match: *`;
      const { status, body } = await connections[caller].request(
        head,
        documentOf(caller, round + Math.random()),
      );
      if (status !== 200) throw new Error(`${status} ${body}`);
    });
  } finally {
    for (const connection of connections) connection.close();
  }
}

function overPool(pool, { callers }) {
  return measure(callers, SECONDS, async (caller, round) => {
    const client = await pool.connect();
    try {
      await bareTransaction(
        client,
        `bench${caller % ROOTS}/app${caller}`,
        documentOf(caller, round),
      );
    } finally {
      client.release();
    }
  });
}
