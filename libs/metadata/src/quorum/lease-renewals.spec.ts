import { describe, expect, it } from 'vitest';
import type { LeaseId } from '../state/index.js';
import { LeaseRenewals } from './lease-renewals.js';

/** Renewals whose requests the test answers. */
function desk() {
  const asked: {
    readonly ids: readonly LeaseId[];
    readonly resolve: (ttls: (number | null)[]) => void;
    readonly reject: (error: Error) => void;
  }[] = [];
  const ended: string[] = [];
  const renewals = new LeaseRenewals(
    (ids) => new Promise((resolve, reject) => asked.push({ ids, resolve, reject })),
  );
  const renew = (id: LeaseId): void => {
    renewals.renew(id).then(
      (ttlMs) => ended.push(`${id}: ${ttlMs}`),
      (error: Error) => ended.push(`${id}: ${error.message}`),
    );
  };
  const settled = async (): Promise<void> => {
    for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
  };
  return { asked, ended, renew, settled };
}

describe('renewals', () => {
  it('that come while a request is under way share the next', async () => {
    const { asked, ended, renew, settled } = desk();
    for (const id of [1n, 2n, 3n, 2n]) renew(id);
    expect(asked.map(({ ids }) => ids)).toEqual([[1n]]);
    asked[0]?.resolve([5000]);
    await settled();
    expect(asked[1]?.ids).toEqual([2n, 3n]);
    asked[1]?.resolve([6000, null]);
    await settled();
    expect(ended).toEqual(['1: 5000', '2: 6000', '2: 6000', '3: null']);
    renew(4n);
    expect(asked[2]?.ids).toEqual([4n]);
  });

  it('never count a renewal for one that came after its request had begun', async () => {
    const { asked, ended, renew, settled } = desk();
    renew(1n);
    renew(1n);
    asked[0]?.resolve([5000]);
    await settled();
    expect(ended).toEqual(['1: 5000']);
    expect(asked[1]?.ids).toEqual([1n]);
  });

  it('fail with their request, and the next goes on', async () => {
    const { asked, ended, renew, settled } = desk();
    renew(1n);
    renew(2n);
    asked[0]?.reject(new Error('no leader'));
    await settled();
    asked[1]?.resolve([5000]);
    await settled();
    expect(ended).toEqual(['1: no leader', '2: 5000']);
  });
});
