import { refused } from '@pawl/contracts';
import type { Gate, Outcome } from '@pawl/contracts';

const OPTIONS: ReadonlySet<string> = new Set(['kind', 'limit', 'percent', 'withinMs', 'onFailure']);

/** Refuses gates that nobody would judge; `undefined`: each is. */
export function gatesNotJudged(gates: readonly Gate[]): Outcome<never> | undefined {
  for (const gate of gates) {
    const { kind, onFailure } = gate;
    const isJudged = kind === 'rejections' || kind === 'lost' || kind === 'applied';
    const option = Object.keys(gate).find((key) => !OPTIONS.has(key));
    const what = isJudged ? (option ?? (onFailure === 'hold' ? 'hold' : undefined)) : kind;
    if (what === undefined) continue;
    const detail = `this control plane judges nothing by ${what} yet: leave it out of the gate ${kind}`;
    return refused('malformed-request', detail);
  }
  return undefined;
}
