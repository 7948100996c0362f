import { expect, it } from 'vitest';
import { judgeGate } from './judge-gates.js';
import { noEvidence } from './gather-evidence.js';

it('does not pass by a gate that a newer node has begun a release with', () => {
  const gate = { kind: 'moods' } as never;
  const evidence = {
    ...noEvidence(),
    ...{ shortMs: 0, shortByWorkload: new Map<string, number>(), stageSinceMs: 0 },
    forgiven: { rejected: 0, lost: 0, byWorkload: new Map<string, never>() },
    health: () => ({ byWorkload: new Map<string, never>(), isLast: false }),
  };
  expect(judgeGate(gate, evidence)).toMatchObject([{ outcome: 'inconclusive' }]);
});
