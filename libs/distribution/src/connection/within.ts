/** Waits for work to settle, `ms` at most; its failure is no failure of ours. */
export async function within(ms: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<void>((resolve) => (timer = setTimeout(resolve, ms)));
  await Promise.race([work.then(undefined, () => undefined), limit]);
  clearTimeout(timer);
}
