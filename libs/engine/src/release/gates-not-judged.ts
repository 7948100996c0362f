import { refused } from '@pawl/contracts';
import type { ExternalGate, Gate, Outcome } from '@pawl/contracts';
import type { EngineContext } from '../engine-context.js';

/** Refuses gates that nobody is there to answer; `undefined`: each can be judged. */
export function gatesNotJudged(
  { gateProbes }: Pick<EngineContext, 'gateProbes'>,
  gates: readonly Gate[],
): Outcome<never> | undefined {
  for (const gate of gates) {
    if (gate.kind !== 'prometheus' && gate.kind !== 'webhook') continue;
    const external = gate as ExternalGate;
    const lacks =
      gateProbes === undefined
        ? 'this control plane asks nobody outside'
        : gateProbes.lacks?.(external);
    if (lacks === undefined) continue;
    return refused('malformed-request', `the gate ${gate.kind} ${external.name}: ${lacks}`);
  }
  return undefined;
}
