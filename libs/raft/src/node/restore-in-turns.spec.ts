import { describe, expect, it } from 'vitest';
import { restoreInTurns } from './restore-in-turns.js';

describe('replacing the state of a machine', () => {
  it('gives the event loop its turn after each step', async () => {
    const seen: string[] = [];
    const machine = {
      apply: () => undefined,
      snapshot: () => [].values(),
      *restore(state: Uint8Array) {
        for (const step of state) {
          seen.push(`step ${step}`);
          setImmediate(() => seen.push('turn'));
          yield;
        }
        seen.push('done');
      },
    };
    await restoreInTurns(machine, Uint8Array.of(1, 2, 3));
    expect(seen).toEqual(['step 1', 'turn', 'step 2', 'turn', 'step 3', 'turn', 'done']);
  });
});
