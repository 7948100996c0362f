import type { AddressText, ExternalGate } from '@pawl/contracts';

/** What a gate that somebody else answers is asked about. */
export interface ProbedRelease {
  /** What is released. */
  readonly address: AddressText;
  readonly releaseId: string;
  /** The definition version that candidates run. */
  readonly version: number;
  /** The one that the others run; `null`: none. */
  readonly stableVersion: number | null;
  /** The stage that is reached, 0 is the first, of how many. */
  readonly stage: number;
  readonly stages: number;
  /** Workloads with live candidates, sorted; at most 1,000. */
  readonly workloads: readonly string[];
  /** Live candidates over all of them. */
  readonly candidates: number;
}

export interface ProbeAnswer {
  /** `inconclusive`: there is no data. */
  readonly outcome: 'pass' | 'fail' | 'inconclusive';
  /** What was measured of the candidates. */
  readonly value?: number;
  /** The same of the rest. */
  readonly baseline?: number;
  /** Short, for people; it is shown and kept, so it must hold no secret. */
  readonly why: string;
}

/** When an answer is wanted no more; an `AbortSignal` is one. */
export interface ProbeSignal {
  readonly aborted: boolean;
  addEventListener(type: 'abort', listener: () => void): void;
}

/**
 * Asks what a release is judged by elsewhere. One question is under way per gate at most; its answer is
 * wanted no more once `signal` is aborted: at its deadline, and when the stage is over. A rejection is taken
 * for an inconclusive answer with its message, which must hold no secret either. Asking changes nothing.
 */
export interface GateProbes {
  /**
   * What has to be set before a gate can be asked; `undefined`: it can. A promote with a gate that cannot is
   * refused with this text.
   */
  lacks?(gate: ExternalGate): string | undefined;
  probe(gate: ExternalGate, about: ProbedRelease, signal: ProbeSignal): Promise<ProbeAnswer>;
}
