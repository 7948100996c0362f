// A consumer in a process of its own: prints what happens to it as lines of JSON, and closes on SIGTERM.
import { connect } from '@pawl/sdk';

const { address, refuseKey, ...options } = JSON.parse(process.argv[2] ?? '{}');

/** @param {Record<string, unknown>} event */
const tell = (event) => process.stdout.write(`${JSON.stringify(event)}\n`);

const pawl = await connect(options);
process.once('SIGTERM', async () => {
  await pawl.close();
  process.exit(0);
});
const scope = await pawl.open(address, {
  validate: (document) => {
    if (refuseKey !== undefined && Object.hasOwn(document, refuseKey)) {
      throw new Error(`"${refuseKey}" is not for me`);
    }
  },
});
tell({ event: 'opened', version: scope.version, document: scope.current });
scope.on('applied', ({ version, lowered }) => {
  tell({ event: 'applied', version, lowered, document: scope.current });
});
scope.on('absent', ({ version }) => tell({ event: 'absent', version }));
scope.on('rejected', ({ version, reason }) => tell({ event: 'rejected', version, reason }));
scope.on('error', ({ code, message }) => tell({ event: 'error', code, message }));
