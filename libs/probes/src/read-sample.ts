import type { PostAnswer } from '@pawl/contracts/node';
import { readJsonObject } from './read-json-object.js';
import type { Json } from './read-json-object.js';
import { shortText } from './short-text.js';

/** What a query gives, or why that is no number; `why` goes on from "it". */
export type Sample =
  | { readonly kind: 'number'; readonly value: number }
  /** It was answered, and there is nothing to tell of: no series, or nothing in them. */
  | { readonly kind: 'empty'; readonly why: string }
  | { readonly kind: 'none'; readonly why: string };

/**
 * The one number that an instant query of Prometheus gives (its HTTP API v1): a scalar, or a vector of
 * one sample. Anything else is no number: an empty vector, several samples, NaN, an infinity, a
 * histogram, an error.
 */
export function readSample(answer: PostAnswer): Sample {
  if (answer.kind === 'none') return answer;
  const { status, text } = answer;
  const parsed = readJsonObject(text);
  if (parsed?.['status'] === 'error') return none(explainError(parsed));
  if (status === 401 || status === 403) return none(`answers ${status}: check user and token`);
  if (status < 200 || status > 299) return none(`answers ${status}`);
  const data = parsed?.['data'] as Json | undefined;
  if (parsed?.['status'] !== 'success' || typeof data !== 'object' || data === null) {
    return none(`answers ${status}, and not as Prometheus does`);
  }
  return readResult(data);
}

function readResult({ resultType, result }: Json): Sample {
  if (resultType === 'scalar') return readPair(result);
  if (resultType !== 'vector' || !Array.isArray(result)) {
    return none(`gives a ${shortText(String(resultType))}, no vector or scalar`);
  }
  if (result.length === 0) return { kind: 'empty', why: 'gives no data' };
  if (result.length > 1) return none(`gives ${result.length} samples, aggregate them to one`);
  return readPair((result[0] as Json | null)?.['value']);
}

/** `[time, "value"]`. */
function readPair(pair: unknown): Sample {
  const text: unknown = Array.isArray(pair) ? pair[1] : undefined;
  if (typeof text !== 'string' || text === '') return none('gives no number');
  const value = Number(text);
  if (text === 'NaN') return { kind: 'empty', why: 'gives NaN' };
  return Number.isFinite(value) ? { kind: 'number', value } : none(`gives ${shortText(text)}`);
}

function explainError({ errorType, error }: Json): string {
  const says = shortText(String(error));
  return errorType === 'bad_data' ? `is not understood: ${says}` : `fails: ${says}`;
}

function none(why: string): Sample {
  return { kind: 'none', why };
}
