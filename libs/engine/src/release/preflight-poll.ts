import type { AddressText, PreflightView, Verdict, VoteItem } from '@pawl/contracts';
import type { ConsumerRef } from '../config-engine.js';
import { consumerKey } from '../status/incarnation.js';
import type { Incarnation } from '../status/incarnation.js';
import type { Reading } from './accepted-kinds.js';
import { compareText } from '../status/rollout-view.js';

/** Consumers that are named, of each kind, and rows by build. */
const MAX_NAMED = 1_000;
/** Reasons that are counted, and told. */
const MAX_COUNTED = 1_000;
const MAX_REASONS = 20;
/** The label that says where an instance runs. */
const ZONE = 'zone';

type Rejection = PreflightView['rejections'][number];
type Unsure = PreflightView['unsure'][number];
type ByBuild = PreflightView['byBuild'][number];
type Answer = 'accepted' | 'rejected' | 'cannotSay' | 'silent';

/** The worst of an instance's answers is its answer. */
const FROM_WORST: readonly Answer[] = ['rejected', 'silent', 'cannotSay', 'accepted'];
const ANSWERS: Readonly<Record<Verdict, Answer>> = {
  accept: 'accepted',
  reject: 'rejected',
  'cannot-say': 'cannotSay',
};

/** What one process was asked at one address, and what it made of it. */
interface Question {
  /** Of the document. */
  readonly hash: string;
  answer: Answer;
}

/** Hashes of documents by address. */
type Accepted = ReadonlyMap<AddressText, string>;

interface Asked {
  readonly incarnation: Incarnation;
  readonly questions: Map<AddressText, Question>;
  /** What it accepted in an earlier poll. */
  readonly accepted: Accepted | undefined;
}

/**
 * Who was asked in one preflight, and what they answered. Everybody is silent until heard; the first
 * answer of an incarnation at an address counts, if it is about the document that was asked about. Keeps
 * of each answer only that it was given, and of the first ones how. What was accepted in an earlier
 * poll, which is over, is accepted.
 */
export class PreflightPoll {
  /** By what a vote says of who gives it. */
  readonly #asked = new Map<string, Asked>();
  /** The same, found sooner. */
  readonly #known = new Map<Incarnation, Asked>();
  readonly #rejections: Rejection[] = [];
  readonly #doubts: Unsure[] = [];
  readonly #reasons = new Map<string, number>();
  readonly #askedAt = new Map<string, number>();
  #missing = 0;

  /** Hashes of the documents that were accepted earlier, by address, of each process. */
  readonly #accepted: ReadonlyMap<string, Accepted>;

  constructor(earlier?: PreflightPoll) {
    this.#accepted = earlier?.acceptedNow() ?? new Map();
  }

  /** Everybody who was asked has answered. */
  get isComplete(): boolean {
    return this.#missing === 0;
  }

  /**
   * It is to answer this at this address, if it was not asked yet; what it said of another document
   * there, which it would read no more, says nothing. Whether its answer is missing.
   */
  ask(incarnation: Incarnation, address: AddressText, hash: string): boolean {
    const asked = this.#known.get(incarnation) ?? this.#add(incarnation);
    const known = asked.questions.get(address);
    if (known?.hash === hash) return known.answer === 'silent';
    const isAccepted = asked.accepted?.get(address) === hash;
    asked.questions.set(address, { hash, answer: isAccepted ? 'accepted' : 'silent' });
    if (known === undefined) this.#askedAt.set(address, this.askedAt(address) + 1);
    const wasMissing = known?.answer === 'silent';
    this.#missing += Number(!isAccepted) - Number(wasMissing);
    return !isAccepted;
  }

  #add(incarnation: Incarnation): Asked {
    const key = keyOf(incarnation.ref, incarnation.id);
    const accepted = this.#accepted.get(key);
    const asked = this.#asked.get(key) ?? { incarnation, questions: new Map(), accepted };
    this.#asked.set(key, asked);
    this.#known.set(incarnation, asked);
    return asked;
  }

  /** What was said yes to, for the next poll, which keeps nothing else of this one. */
  private acceptedNow(): ReadonlyMap<string, Accepted> {
    const accepted = new Map<string, Accepted>();
    for (const [process, { questions }] of this.#asked) {
      const said = [...questions].filter(([, { answer }]) => answer === 'accepted');
      if (said.length > 0) accepted.set(process, new Map(said.map(([at, { hash }]) => [at, hash])));
    }
    return accepted;
  }

  /** Calls back for each process that was asked, with what it was asked about; not for who left without an answer. */
  eachAsked(tell: (reading: Reading) => void): void {
    for (const { incarnation, questions } of this.#asked.values()) {
      for (const [address, { hash, answer }] of questions) {
        if (incarnation.left && answer === 'silent') continue;
        tell({ one: incarnation, address, hash });
      }
    }
  }

  /** How many were asked at this address. */
  askedAt(address: AddressText): number {
    return this.#askedAt.get(address) ?? 0;
  }

  /** Takes an answer, if it is one to what was asked; whether it is. */
  vote(from: ConsumerRef, incarnation: string, item: VoteItem): boolean {
    const address = item.address as AddressText;
    const asked = this.#asked.get(keyOf(from, incarnation));
    const question = asked?.questions.get(address);
    if (asked === undefined || question?.answer !== 'silent') return false;
    if (question.hash !== item.hash) return false;
    question.answer = ANSWERS[item.verdict];
    this.#missing -= 1;
    if (item.verdict === 'reject') this.#reject(asked.incarnation, item);
    else if (item.verdict === 'cannot-say' && this.#doubts.length < MAX_NAMED) {
      const { reason } = item;
      const why = reason === undefined ? {} : { reason };
      this.#doubts.push({ ...named(asked.incarnation, address), answer: 'cannot-say', ...why });
    }
    return true;
  }

  /** What was answered, in numbers; who has said goodbye meanwhile does not count. */
  get counts(): PreflightView['consumers'] {
    const counts = { asked: 0, ...noAnswers() };
    for (const one of this.#asked.values()) {
      const answer = answerOf(one);
      if (one.incarnation.left && answer === 'silent') continue;
      counts.asked += 1;
      counts[answer] += 1;
    }
    return counts;
  }

  /** What was answered; who has said goodbye meanwhile does not count. */
  result(): Pick<PreflightView, 'consumers' | 'byBuild' | 'rejections' | 'reasons' | 'unsure'> {
    const byPlace = new Map<string, ByBuild & Record<Answer, number>>();
    const unsure = [...this.#doubts];
    for (const asked of this.#asked.values()) {
      const { incarnation, questions } = asked;
      const answer = answerOf(asked);
      if (incarnation.left && answer === 'silent') continue;
      rowOf(byPlace, incarnation)[answer] += 1;
      for (const [address, { answer: one }] of questions) {
        if (one !== 'silent' || unsure.length >= MAX_NAMED) continue;
        unsure.push({ ...named(incarnation, address), answer: 'silent' });
      }
    }
    return {
      consumers: this.counts,
      byBuild: [...byPlace]
        .sort(([a], [b]) => compareText(a, b))
        .map(([, row]) => row)
        .slice(0, MAX_NAMED),
      rejections: this.#rejections,
      reasons: [...this.#reasons]
        .map(([reason, count]) => ({ reason, count }))
        .sort((a, b) => b.count - a.count || compareText(a.reason, b.reason))
        .slice(0, MAX_REASONS),
      unsure,
    };
  }

  #reject(incarnation: Incarnation, { address, pointer, reason = '' }: VoteItem): void {
    const count = this.#reasons.get(reason) ?? 0;
    if (count > 0 || this.#reasons.size < MAX_COUNTED) this.#reasons.set(reason, count + 1);
    if (this.#rejections.length >= MAX_NAMED) return;
    const where = pointer === undefined ? {} : { pointer };
    this.#rejections.push({ ...named(incarnation, address), ...where, reason });
  }
}

function answerOf({ questions }: Asked): Answer {
  let worst = FROM_WORST.length - 1;
  for (const { answer } of questions.values()) worst = Math.min(worst, FROM_WORST.indexOf(answer));
  return FROM_WORST[worst] ?? 'silent';
}

function keyOf(ref: ConsumerRef, incarnation: string): string {
  return `${consumerKey(ref)} ${incarnation}`;
}

function noAnswers(): Record<Answer, number> {
  return { accepted: 0, rejected: 0, cannotSay: 0, silent: 0 };
}

/** The row of those who are where it is. */
function rowOf(
  rows: Map<string, ByBuild & Record<Answer, number>>,
  { ref, build, labels }: Incarnation,
): Record<Answer, number> {
  const { workload } = ref;
  const zone = Object.hasOwn(labels, ZONE) ? labels[ZONE] : undefined;
  const key = `${workload}\n${build ?? ''}\n${zone ?? ''}`;
  const known = rows.get(key);
  if (known !== undefined) return known;
  const row = {
    workload,
    ...(build === null ? {} : { build }),
    ...(zone === undefined ? {} : { zone }),
    ...noAnswers(),
  };
  rows.set(key, row);
  return row;
}

function named({ ref, id, build }: Incarnation, address: string): Omit<Unsure, 'answer'> {
  const { workload, consumerId } = ref;
  const known = build === null ? {} : { build };
  return { address, workload, consumerId, incarnation: id, ...known };
}
