import { LIMITS } from '@pawl/contracts';
import type { PageQuery } from '@pawl/engine';
import { ProblemException } from '@pawl/platform';
import type { FastifyRequest } from 'fastify';

/**
 * The query parameters of one call. A name that the call does not know is refused, because a
 * misspelled one would silently do something else; so is a name that is given twice.
 */
export class Query {
  readonly #values: Readonly<Record<string, unknown>>;

  constructor(request: FastifyRequest, known: readonly string[]) {
    this.#values = request.query as Record<string, unknown>;
    for (const name of Object.keys(this.#values)) {
      if (known.includes(name)) continue;
      const takes = known.length === 0 ? 'takes none' : `takes ${known.join(', ')}`;
      throw refuse(
        `Unknown query parameter ${JSON.stringify(name.slice(0, 64))}; this call ${takes}.`,
      );
    }
  }

  /** `undefined` when it is not given. */
  raw(name: string): string | undefined {
    const value = this.#values[name];
    if (Array.isArray(value)) throw refuse(`?${name}= is given more than once.`);
    return typeof value === 'string' ? value : undefined;
  }

  text(name: string, pattern: RegExp, expects: string): string | undefined {
    const value = this.raw(name);
    if (value !== undefined && !pattern.test(value)) throw refuse(`?${name}= takes ${expects}.`);
    return value;
  }

  integer(name: string, range: { readonly min: number; readonly max: number }): number | undefined {
    const expects = `a whole number from ${range.min} to ${range.max}`;
    const text = this.text(name, /^[0-9]{1,16}$/, expects);
    if (text === undefined) return undefined;
    const value = Number(text);
    if (value < range.min || value > range.max) throw refuse(`?${name}= takes ${expects}.`);
    return value;
  }

  /** A definition version. */
  version(name: string): number | undefined {
    return this.integer(name, { min: 1, max: Number.MAX_SAFE_INTEGER });
  }

  /** A name without a value says yes. */
  flag(name: string): boolean {
    const value = this.text(name, /^(true|false|)$/, 'true or false');
    return value !== undefined && value !== 'false';
  }

  page(): PageQuery {
    const limit = this.integer('limit', { min: 1, max: LIMITS.pageMax }) ?? LIMITS.pageDefault;
    const cursor = this.text('cursor', /^[\x21-\x7e]{1,1024}$/, 'the "next" of the former page');
    return { limit, ...(cursor === undefined ? {} : { cursor }) };
  }
}

function refuse(detail: string): ProblemException {
  return ProblemException.of('malformed-request', detail);
}
