import type { ExternalGate } from '@pawl/contracts';
import type { GateProbes, ProbeAnswer, ProbedRelease } from '../release/gate-probes.port.js';
import { expectSame } from './conformance.js';
import type { ConformanceCase } from './conformance.js';

export interface GateProbesSubject {
  readonly probes: GateProbes;
  /** The same with nobody set up whom it could ask. */
  readonly nobody: GateProbes;
  /** One that `probes` can ask. */
  readonly gate: ExternalGate;
  /** Has whoever is asked answer so from now on. */
  readonly judge: (answer: ProbeAnswer) => void;
}

const ABOUT: ProbedRelease = {
  address: 'acme/prod/checkout' as ProbedRelease['address'],
  ...{ releaseId: '0123456789abcdef', version: 2, stableVersion: 1, stage: 0, stages: 2 },
  ...{ workloads: ['checkout'], candidates: 1 },
};
const OPEN = { aborted: false, addEventListener: () => undefined };

/** What everybody promises who asks for gates. */
export const gateProbesCases: readonly ConformanceCase<GateProbesSubject>[] = [
  {
    name: 'tells what has to be set before a gate can be asked',
    run: async ({ probes, nobody, gate }) => {
      expectSame(typeof nobody.lacks?.(gate), 'string', 'what is lacking');
      expectSame(probes.lacks?.(gate) ?? null, null, 'nothing is lacking');
    },
  },
  {
    name: 'answers as it is judged elsewhere',
    run: async ({ probes, gate, judge }) => {
      for (const outcome of ['pass', 'fail', 'inconclusive'] as const) {
        const answer = { outcome, value: 3, baseline: 2.5, why: `it is said: ${outcome}` };
        judge(answer);
        expectSame(await probes.probe(gate, ABOUT, OPEN), answer, outcome);
      }
    },
  },
];
