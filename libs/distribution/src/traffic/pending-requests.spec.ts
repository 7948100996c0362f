import { describe, expect, it } from 'vitest';
import { ManualTime } from '@pawl/kernel';
import { PendingRequests } from './pending-requests.js';

describe('PendingRequests', () => {
  it('refuses one too many until one ends or has taken too long', () => {
    const clock = new ManualTime();
    const pending = new PendingRequests(2, 1_000, clock);
    const first = pending.begin();
    clock.advance(500);
    pending.begin();
    expect(pending.begin()).toBeUndefined();
    pending.end(first!);
    expect(pending.begin()).toBeDefined();
    expect(pending.begin()).toBeUndefined();
    clock.advance(1_000);
    expect(pending.begin()).toBeDefined();
  });

  it('is idle when the last one ends', async () => {
    const pending = new PendingRequests(2, 1_000, new ManualTime());
    const requests = [pending.begin()!, pending.begin()!];
    let idle = false;
    const waiting = pending.idle(60_000).then(() => (idle = true));
    pending.end(requests[0]!);
    await Promise.resolve();
    expect(idle).toBe(false);
    pending.end(requests[1]!);
    await waiting;
    await pending.idle(60_000);
  });
});
