import { expect, it } from 'vitest';
import { TurnByTurn } from './machine.js';

it('lets those who wait on one per turn of the event loop, in their order', async () => {
  let turn = 0;
  let isDone = false;
  const count = (): void => {
    turn += 1;
    if (!isDone) setImmediate(count);
  };
  setImmediate(count);
  const scheduler = new TurnByTurn();
  const ran: { readonly who: number; readonly turn: number }[] = [];
  const work = async (who: number): Promise<void> => {
    for (let round = 0; round < 3; round += 1) {
      await scheduler.yield();
      ran.push({ who, turn });
    }
  };
  await Promise.all([work(1), work(2), work(3)]);
  isDone = true;
  expect(ran.map(({ who }) => who)).toEqual([1, 2, 3, 1, 2, 3, 1, 2, 3]);
  expect(new Set(ran.map((each) => each.turn)).size).toBe(ran.length);
});
