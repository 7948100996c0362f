/** Bytes of one message, roughly; far below a NATS server's 1 MiB. */
const MESSAGE_LENGTH = 200_000;
const ITEMS_PER_MESSAGE = 1_000;

/** The items in their order, as lists that are small enough to be sent as one message each. */
export function batchesOf<T>(items: readonly T[]): readonly (readonly T[])[] {
  const batches: T[][] = [];
  let batch: T[] = [];
  let length = 0;
  for (const item of items) {
    const itemLength = 3 * JSON.stringify(item).length;
    const isFull = batch.length >= ITEMS_PER_MESSAGE || length + itemLength > MESSAGE_LENGTH;
    if (batch.length === 0 || isFull) {
      batch = [];
      batches.push(batch);
      length = 0;
    }
    batch.push(item);
    length += itemLength;
  }
  return batches;
}
