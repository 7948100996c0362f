import { lostAncestor, wantedBy } from './process-identity.mjs';

/**
 * @typedef {object} Interruption
 * @property {AbortSignal} signal fires when the user wants an end
 * @property {() => void} dispose
 */

/** npm passes on a signal that the terminal or the group already sent us: both mean one wish. */
const SAME_WISH_MS = 1_000;
const WATCH_PARENT_MS = 500;

/**
 * Listens to everything that means "stop": Ctrl-C, SIGTERM, a terminal that closes, and the end of
 * the npm that started us, which a kill -9 leaves unannounced.
 *
 * @param {{ onForce: () => void, npm: readonly number[] }} options `onForce`: asked a second time
 * @returns {Interruption}
 */
export function listenForStop({ onForce, npm }) {
  const controller = new AbortController();
  let since = 0;
  const ask = () => {
    if (!controller.signal.aborted) {
      since = Date.now();
      controller.abort();
    } else if (Date.now() - since > SAME_WISH_MS) {
      onForce();
    }
  };
  const signals = /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT']);
  for (const name of signals) process.on(name, ask);
  const timer = setInterval(() => {
    if (!controller.signal.aborted && lostAncestor(process.pid, npm)) ask();
  }, WATCH_PARENT_MS);
  timer.unref();
  return {
    signal: controller.signal,
    dispose: () => {
      clearInterval(timer);
      for (const name of signals) process.removeListener(name, ask);
    },
  };
}

/** The npm, and its shell, that runs us as a script; empty when we were started directly. */
export function startedByNpm() {
  return process.env.npm_lifecycle_event === undefined ? [] : wantedBy();
}
