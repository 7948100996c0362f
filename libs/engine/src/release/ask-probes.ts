import { LIMITS } from '@pawl/contracts';
import type { ExternalGate } from '@pawl/contracts';
import type { TimerHandle } from '@pawl/kernel';
import type { EngineContext } from '../engine-context.js';
import type { Finding } from './finding.js';
import type { ProbeAnswer, ProbedRelease, ProbeSignal } from './gate-probes.port.js';

/** Questions that are under way at the same time on this node. */
const MAX_ASKED = 32;
/** What a question is given where its gate says nothing. */
const TIMEOUT_MS = 10_000;

/** Asks those who judge gates elsewhere; each question ends, at its deadline at the latest. */
export class ProbeAsker {
  /** Each with its deadline. */
  readonly #asked = new Map<Question, TimerHandle>();

  constructor(private readonly context: Pick<EngineContext, 'gateProbes' | 'timer'>) {}

  /**
   * Asks, and tells what came of it, once, unless it was ended first: an answer, or that there is none. Answers
   * how to end it; `null`: too many are under way, and it is to be asked later.
   */
  ask(
    gate: ExternalGate,
    about: ProbedRelease,
    tell: (finding: Finding) => void,
  ): (() => void) | null {
    if (this.#asked.size >= MAX_ASKED) return null;
    const question = new Question();
    const over = (finding?: Finding): void => {
      if (!this.#asked.has(question)) return;
      this.#end(question);
      if (finding !== undefined) tell(finding);
    };
    const timeoutMs = gate.timeoutMs ?? TIMEOUT_MS;
    const deadline = this.context.timer.after(timeoutMs, () => {
      over({ outcome: 'inconclusive', why: `no answer within ${timeoutMs} ms` });
    });
    this.#asked.set(question, deadline);
    this.#probe(gate, about, question).then(
      (answer) => over(findingOf(answer, gate)),
      (error: unknown) => over({ outcome: 'inconclusive', why: short(messageOf(error)) }),
    );
    return () => over();
  }

  /** Ends every question. */
  stop(): void {
    for (const question of [...this.#asked.keys()]) this.#end(question);
  }

  #end(question: Question): void {
    this.#asked.get(question)?.cancel();
    this.#asked.delete(question);
    question.end();
  }

  async #probe(
    gate: ExternalGate,
    about: ProbedRelease,
    signal: ProbeSignal,
  ): Promise<ProbeAnswer> {
    const { gateProbes } = this.context;
    if (gateProbes === undefined) throw new Error('this control plane asks nobody');
    const lacks = gateProbes.lacks?.(gate);
    if (lacks !== undefined) throw new Error(lacks);
    return gateProbes.probe(gate, about, signal);
  }
}

/** The signal of one question. */
class Question implements ProbeSignal {
  aborted = false;
  readonly #listeners: (() => void)[] = [];

  addEventListener(_type: 'abort', listener: () => void): void {
    this.#listeners.push(listener);
  }

  end(): void {
    if (this.aborted) return;
    this.aborted = true;
    for (const listener of this.#listeners.splice(0)) listener();
  }
}

function findingOf({ outcome, why, value, baseline }: ProbeAnswer, gate: ExternalGate): Finding {
  const limit = gate.max ?? gate.min;
  return {
    outcome,
    why: short(why),
    ...number('value', value),
    ...number('baseline', baseline),
    ...number('limit', limit),
  };
}

function number(name: string, value: number | undefined): Partial<Finding> {
  return value !== undefined && Number.isFinite(value) ? { [name]: value } : {};
}

function short(text: string): string {
  return text.slice(0, LIMITS.messageLength / 2);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
