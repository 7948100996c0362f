/** Items that are worked on at the same time. */
const AT_ONCE = 8;

/** Does it to each, a few at the same time. */
export async function atOnce(
  items: readonly string[],
  work: (item: string) => Promise<void>,
): Promise<void> {
  const left = [...items];
  const worker = async (): Promise<void> => {
    for (let next = left.shift(); next !== undefined; next = left.shift()) await work(next);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}
