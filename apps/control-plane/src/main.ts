import { ROOMS } from './rooms.js';
import { runControlPlane } from './run-control-plane.js';

await runControlPlane(
  {
    env: process.env,
    on: (event, listener) => process.on(event, listener),
    say: (line) => process.stderr.write(`${line}\n`),
    exit: (code) => process.exit(code),
  },
  ROOMS,
);
