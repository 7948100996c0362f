import { describe, expect, it } from 'vitest';
import { runNodes } from './run-nodes.js';

const EVENTS = 20_000;

describe('worlds of whole nodes', () => {
  it('are decided by their seed', { timeout: 60_000 }, async () => {
    const once = await runNodes({ from: 1, count: 1, events: EVENTS });
    const again = await runNodes({ from: 1, count: 1, events: EVENTS });
    expect(again).toEqual(once);
  });
});
