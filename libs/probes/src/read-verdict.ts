import type { PostAnswer } from '@pawl/contracts/node';
import type { ProbeAnswer } from '@pawl/engine';
import { readJsonObject } from './read-json-object.js';
import { shortText } from './short-text.js';

const OUTCOMES = ['pass', 'fail', 'inconclusive'] as const;
type Outcome = (typeof OUTCOMES)[number];

const SAYS: Readonly<Record<Outcome, string>> = {
  pass: 'it agrees',
  fail: 'it does not agree',
  inconclusive: 'it cannot say',
};

/**
 * The judgement of a webhook: a success with nothing in it agrees, one with an `outcome` says it itself.
 * Everything else is no judgement: a server that breaks, or a proxy in front of it that answers in its
 * place, has not seen the release.
 */
export function readVerdict(answer: PostAnswer): ProbeAnswer {
  if (answer.kind === 'none') return noVerdict(`it ${answer.why}`);
  const { status, text } = answer;
  if (status < 200 || status > 299) return noVerdict(`it answers ${status}`);
  if (text.trim() === '') return { outcome: 'pass', why: `it answers ${status}` };
  const { outcome, why, value, baseline } = readJsonObject(text) ?? {};
  if (!isOutcome(outcome)) return noVerdict(`it answers ${status} without an outcome`);
  return {
    outcome,
    ...(isNumber(value) ? { value } : {}),
    ...(isNumber(baseline) ? { baseline } : {}),
    why: (typeof why === 'string' && shortText(why)) || SAYS[outcome],
  };
}

function isOutcome(value: unknown): value is Outcome {
  return OUTCOMES.some((outcome) => outcome === value);
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}

function noVerdict(why: string): ProbeAnswer {
  return { outcome: 'inconclusive', why };
}
