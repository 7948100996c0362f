/**
 * @typedef {{ count: number, failed: number, perSecond: number, p50: number, p99: number }} Load of
 *   the calls that were answered, `count`; times in milliseconds
 * @typedef {(caller: number, round: number, done: (error: Error | null) => void) => void} Issue
 */

/** Some fail when a machine is so busy that a leader is lost; with more, nothing was measured. */
const MOST_FAILED = 500;

/**
 * `callers` loops, each with one call under way, for `seconds`.
 *
 * @param {{ callers: number, seconds: number, issue: Issue }} options
 * @returns {Promise<Load>}
 */
export function closedLoop({ callers, seconds, issue }) {
  return new Promise((resolve, reject) => {
    const times = [];
    const startedAt = performance.now();
    const endAt = startedAt + seconds * 1000;
    let active = callers;
    let failed = 0;
    const run = (caller, round) => {
      const before = performance.now();
      issue(caller, round, (error) => {
        const now = performance.now();
        if (error === null) times.push(now - before);
        else failed += 1;
        if (failed > MOST_FAILED) reject(error);
        else if (now < endAt) run(caller, round + 1);
        else if ((active -= 1) === 0) resolve(summarize(times, { failed, ms: now - startedAt }));
      });
    };
    for (let caller = 0; caller < callers; caller += 1) run(caller, 0);
  });
}

/**
 * Calls at a given rate, whether or not those before were answered. A timer fires each millisecond
 * at most, so several may leave together.
 *
 * @param {{ perSecond: number, seconds: number, issue: Issue }} options
 * @returns {Promise<Load>}
 */
export function openLoop({ perSecond, seconds, issue }) {
  return new Promise((resolve) => {
    const times = [];
    const startedAt = performance.now();
    const total = perSecond * seconds;
    let sent = 0;
    let failed = 0;
    const send = () => {
      const round = sent;
      sent += 1;
      const before = performance.now();
      issue(0, round, (error) => {
        const now = performance.now();
        if (error === null) times.push(now - before);
        else failed += 1;
        if (times.length + failed === total) {
          resolve(summarize(times, { failed, ms: now - startedAt }));
        }
      });
    };
    const timer = setInterval(
      () => {
        const due = Math.min(total, ((performance.now() - startedAt) / 1000) * perSecond);
        while (sent < due) send();
        if (sent === total) clearInterval(timer);
      },
      Math.min(1, 1000 / perSecond),
    );
  });
}

/** @param {number[]} times @param {{ failed: number, ms: number }} run @returns {Load} */
function summarize(times, { failed, ms }) {
  times.sort((a, b) => a - b);
  const at = (share) => times[Math.min(times.length - 1, Math.floor(times.length * share))];
  return {
    count: times.length,
    failed,
    perSecond: times.length / (ms / 1000),
    p50: at(0.5),
    p99: at(0.99),
  };
}
