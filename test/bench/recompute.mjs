import { printTable } from './lib/report.mjs';
import { call, promote } from './lib/stack.mjs';

const BELOW = 1_000;

/** One edit at a root with 1,000 addresses below: the answer, the publication, and the worst block. */
export async function benchRecompute(stack) {
  const document = {
    limits: { a: 1, b: 2 },
    list: Array.from({ length: 40 }, (_, n) => `value-${n}`),
  };
  await call(stack.url, 'PUT', '/v1/config/wide', document);
  await promote(stack.url, 'wide');
  for (let n = 0; n < BELOW; n += 1) {
    await call(stack.url, 'PUT', `/v1/config/wide/s${n}`, { own: n });
    await promote(stack.url, `wide/s${n}`);
  }
  await settled(stack.url);
  const rows = [];
  for (let round = 1; round <= 3; round += 1) {
    const next = { ...document, limits: { a: round + 1, b: 2 } };
    await call(stack.url, 'PUT', '/v1/config/wide', next, { 'if-match': '*' });
    await longestBlockMs(stack.url);
    const startedAt = performance.now();
    await promote(stack.url, 'wide');
    const answered = performance.now() - startedAt;
    await settled(stack.url);
    rows.push([round, answered, performance.now() - startedAt, await longestBlockMs(stack.url)]);
  }
  printTable(
    `promote at a root with ${BELOW} addresses below`,
    ['round', 'answered ms', 'all published ms', 'longest event-loop block ms'],
    rows,
  );
}

async function settled(url) {
  for (;;) {
    const text = await (await fetch(`${url}/metrics`)).text();
    const pending = /^pawl_pending_publications(?:\{.*\})? (\S+)$/m.exec(text)?.[1];
    if (pending === '0') return;
    if (pending === undefined)
      throw new Error('pawl_pending_publications is not among the metrics');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Longest delay since the last call: the server starts a new window whenever it is asked. */
async function longestBlockMs(url) {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(/^nodejs_eventloop_lag_max_seconds (\S+)$/m.exec(text)?.[1] ?? NaN) * 1000;
}
