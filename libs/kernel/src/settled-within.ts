import type { Timer } from './clock.js';

/** Whether work has settled, either way, within so many milliseconds. Never rejects. */
export async function settledWithin(
  work: Promise<unknown>,
  ms: number,
  timer: Timer,
): Promise<boolean> {
  let expire = (): void => undefined;
  const late = new Promise<boolean>((resolve) => (expire = () => resolve(false)));
  const deadline = timer.after(ms, expire);
  const settled = work.then(
    () => true,
    () => true,
  );
  const inTime = await Promise.race([settled, late]);
  deadline.cancel();
  return inTime;
}
