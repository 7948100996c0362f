import type { ExternalGate } from '@pawl/contracts';
import type {
  GateProbes,
  ProbeAnswer,
  ProbedRelease,
  ProbeSignal,
} from '../release/gate-probes.port.js';

/** Answers as it is told to; while it is told nothing it cannot be asked. */
export class FakeGateProbes implements GateProbes {
  answer: ((gate: ExternalGate) => Promise<ProbeAnswer>) | null = null;
  readonly asked: { readonly about: ProbedRelease; readonly signal: ProbeSignal }[] = [];

  lacks(): string | undefined {
    return this.answer === null ? 'set who is to be asked' : undefined;
  }

  probe(gate: ExternalGate, about: ProbedRelease, signal: ProbeSignal): Promise<ProbeAnswer> {
    this.asked.push({ about, signal });
    return this.answer?.(gate) ?? Promise.reject(new Error('nobody is asked'));
  }
}
