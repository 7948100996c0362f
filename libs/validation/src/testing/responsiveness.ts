/**
 * Runs `work` while the event loop goes round, and answers how often it went round: a lower bound
 * that only a blocked loop stays under, on a machine however slow.
 */
export async function turnsDuring<T>(work: Promise<T>): Promise<{ turns: number; result: T }> {
  let turns = 0;
  let over = false;
  const turn = (): void => {
    turns += 1;
    if (!over) setTimeout(turn, 1);
  };
  turn();
  const result = await work.finally(() => (over = true));
  return { turns, result };
}
