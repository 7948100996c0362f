// Consumers in a process of their own: each follows one scope and writes down, in order, all that it
// applies. Argument: JSON of FleetProcessOptions.
import { openSync, readdirSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from '@pawl/sdk';

const { servers, scopes, first, count, cacheDir, file } = JSON.parse(process.argv[2] ?? '{}');
const record = openSync(file, 'a');

/** @param {object} line */
const write = (line) => writeSync(record, `${JSON.stringify(line)}\n`);

/**
 * Generation and hash of what runs: the SDK writes the last-known-good file before it applies, unless
 * the disk takes too long.
 *
 * @param {string} folder of one consumer with one scope
 */
function lastKnownGood(folder) {
  const name = readdirSync(folder).find((one) => one.endsWith('.lkg'));
  if (name === undefined) return {};
  const [, header = '{}'] = readFileSync(join(folder, name), 'utf8').split('\n', 2);
  return JSON.parse(header).head;
}

/** @param {number} number */
async function follow(number) {
  const consumer = `consumer-${number}`;
  const address = scopes[number % scopes.length];
  const options = { servers, workload: 'chaos', consumerId: consumer, cacheDir };
  // Whatever is killed here, configuration is not why.
  const pawl = await connect({ ...options, crashLoop: false, staleAfterMs: 60_000 });
  const scope = await pawl.open(address, { startTimeoutMs: 120_000 });
  const note = (/** @type {boolean} */ lowered, isStart = false) => {
    const { generation, version, hash } = lastKnownGood(join(cacheDir, consumer));
    const same = version === scope.version;
    write({
      kind: 'applied',
      consumer,
      address,
      generation: same ? generation : null,
      version: scope.version,
      hash: same ? hash : null,
      writtenBy: scope.current?.by ?? null,
      lowered,
      ...(isStart && { isStart }),
      at: Date.now(),
    });
  };
  note(false, true);
  scope.on('applied', ({ lowered }) => note(lowered));
  scope.on('rejected', ({ version, reason }) =>
    write({ kind: 'rejected', consumer, address, version, reason }),
  );
  scope.on('error', ({ code, message }) => write({ kind: 'problem', consumer, code, message }));
  scope.on('absent', ({ version }) => write({ kind: 'absent', consumer, address, version }));
  return pawl;
}

const consumers = await Promise.all(Array.from({ length: count }, (_, at) => follow(first + at)));
process.send?.('opened');

async function close() {
  await Promise.all(consumers.map((consumer) => consumer.close()));
  process.exit(0);
}
process.once('SIGTERM', close);
process.once('disconnect', close);
