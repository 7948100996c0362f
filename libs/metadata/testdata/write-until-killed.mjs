/*
 * Writes keys one after the other, eight at a time, until it is killed; prints the number of each
 * key once the store has acknowledged it. Arguments: data folder, first number.
 */
import { writeSync } from 'node:fs';
import { openMetadata, textToBytes } from '@pawl/metadata';

const [dataDir, first] = process.argv.slice(2);
const time = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  after: (delayMs, callback) => {
    const timeout = setTimeout(callback, delayMs);
    return { cancel: () => clearTimeout(timeout) };
  },
};
const raft = { segmentBytes: 20_000, snapshotEntries: 150 };
const store = await openMetadata({ dataDir, nodeId: 'n1', clock: time, timer: time, raft });
let next = Number(first);

async function writer() {
  for (;;) {
    const number = next;
    next += 1;
    const [key, value] = [textToBytes(`key-${number}`), textToBytes('v'.repeat(number % 300))];
    const put = { kind: 'put', key, value, lease: 0n };
    const result = await store.txn({ compare: [], success: [put], failure: [] });
    if (!result.ok) throw new Error(result.refusal);
    writeSync(1, `${number}\n`);
  }
}

await Promise.all(Array.from({ length: 8 }, writer));
