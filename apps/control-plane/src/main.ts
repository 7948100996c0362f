import { flushLog } from '@pawl/platform';
import { ROOMS } from './rooms.js';
import { runControlPlane } from './run-control-plane.js';

/** How long a reader of the log may hold up the end. */
const FLUSH_MS = 1_000;

await runControlPlane(
  {
    env: process.env,
    on: (event, listener) => process.on(event, listener),
    say: (line) => process.stderr.write(`${line}\n`),
    exit: (code) => void flushLog(FLUSH_MS).finally(() => process.exit(code)),
  },
  ROOMS,
);
