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
    await settled(stack.url);
    const startedAt = performance.now();
    await promote(stack.url, 'wide');
    const answered = performance.now() - startedAt;
    const longestMs = await settled(stack.url);
    rows.push([round, answered, performance.now() - startedAt, longestMs]);
  }
  printTable(
    `promote at a root with ${BELOW} addresses below`,
    ['round', 'answered ms', 'all published ms', 'longest event-loop block ms'],
    rows,
  );
}

/** Waits until nothing is left to publish; answers the longest event-loop block meanwhile. */
async function settled(url) {
  let longestMs = 0;
  for (;;) {
    const text = await (await fetch(`${url}/metrics`)).text();
    const value = (name) => new RegExp(`^${name}(?:\\{.*\\})? (\\S+)$`, 'm').exec(text)?.[1];
    const [pending, lag] = [
      value('pawl_pending_publications'),
      value('nodejs_eventloop_lag_max_seconds'),
    ];
    if (pending === undefined || lag === undefined)
      throw new Error('the metrics lack what is measured');
    longestMs = Math.max(longestMs, Number(lag) * 1000);
    if (pending === '0') return longestMs;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
