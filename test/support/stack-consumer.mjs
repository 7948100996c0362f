// A consumer in a process of its own: prints what happens to it as lines of JSON, and closes on SIGTERM,
// unless nothing in it listens to that.
import { connect } from '@pawl/sdk';

const { address, refuseKey, blockKey, blockMs, exitKey, hasNoHandler, ...options } = JSON.parse(
  process.argv[2] ?? '{}',
);

/** @param {Record<string, unknown>} event */
const tell = (event) => process.stdout.write(`${JSON.stringify(event)}\n`);

const pawl = await connect(options);
async function close() {
  await pawl.close();
  process.exit(0);
}
if (hasNoHandler !== true) process.once('SIGTERM', close);
const scope = await pawl.open(address, {
  validate: (document) => {
    if (refuseKey !== undefined && Object.hasOwn(document, refuseKey)) {
      throw new Error(`"${refuseKey}" is not for me`);
    }
    if (blockKey !== undefined && Object.hasOwn(document, blockKey)) {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, blockMs);
    }
  },
});
const use = () => {
  if (exitKey !== undefined && Object.hasOwn(scope.current ?? {}, exitKey)) process.exit(1);
};
tell({ event: 'opened', version: scope.version, document: scope.current });
scope.on('applied', ({ version, lowered }) => {
  tell({ event: 'applied', version, lowered, document: scope.current });
  use();
});
scope.on('absent', ({ version }) => tell({ event: 'absent', version }));
scope.on('rejected', ({ version, reason }) => tell({ event: 'rejected', version, reason }));
scope.on('error', ({ code, message }) => tell({ event: 'error', code, message }));
use();
