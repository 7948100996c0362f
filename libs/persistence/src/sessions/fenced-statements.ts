import { assert } from '@pawl/kernel';
import { FencedError } from '@pawl/engine';
import type { Fence, Installation } from '@pawl/engine';
import type { QueryResultRow } from 'pg';
import type { Answer, TruthSessions } from './truth-sessions.js';

/** A body for {@link FencedStatements.read}: finds rows under a fence. Its parameters start at $4. */
export interface FencedQuery {
  readonly name: string;
  /** A SELECT; may use $1, the shard. */
  readonly body: string;
  /** ORDER BY terms over the body's columns. */
  readonly order?: string;
  readonly values: readonly unknown[];
}

const MAX_TOKEN = 2n ** 63n - 1n;

/** The only way to the tables of a shard: every statement names its fence and is refused without. */
export class FencedStatements {
  /** First half of the advisory lock keys of this installation; the second is the shard. */
  readonly lockKey: number;

  constructor(
    readonly sessions: TruthSessions,
    private readonly installation: Installation,
  ) {
    this.lockKey = lockKeyOf(installation.id);
  }

  /**
   * Reads under the fence, token and rows in one snapshot; throws {@link FencedError}, also on another
   * server than the fence was raised on.
   */
  async read<Row extends QueryResultRow>(fence: Fence, query: FencedQuery): Promise<Row[]> {
    const order = query.order === undefined ? '' : `ORDER BY ${query.order}`;
    const answer = await this.sessions.read<Row & FenceColumns>({
      name: query.name,
      text: `WITH fence AS (
          SELECT f.token FROM shard_fence f
          WHERE f.shard = $1 AND f.installation = $2 AND f.server = pawl_server())
        SELECT fence.token AS fence_token, found.*
        FROM fence LEFT JOIN LATERAL (SELECT true AS present, body.* FROM (${query.body}) body)
          found ON fence.token = $3
        ${order}`,
      values: [fence.shard, this.installation.id, tokenText(fence), ...query.values],
    });
    assert(answer.kind === 'rows', 'a read raises none of the codes of writes');
    const held = BigInt(answer.rows[0]?.fence_token ?? 0);
    if (held !== fence.token) throw new FencedError(fence.shard, held);
    return answer.rows.filter((row) => row.present !== null);
  }

  /** Calls a function of the migrations; `values` follow lock, installation, shard and token. */
  call<Row extends QueryResultRow>(
    name: string,
    fence: Fence,
    values: readonly unknown[],
  ): Promise<Answer<Row>> {
    const parameters = [...this.parameters(fence), ...values];
    const places = parameters.map((_, index) => `$${index + 1}`).join(', ');
    return this.sessions.write<Row>({
      name,
      text: `SELECT ${name}(${places}) AS result`,
      values: parameters,
    });
  }

  /** Like {@link call}, for functions that expect nothing of rows; throws {@link FencedError}. */
  async result<Result>(name: string, fence: Fence, values: readonly unknown[]): Promise<Result> {
    const answer = await this.call<{ result: Result }>(name, fence, values);
    if (answer.kind === 'fenced') throw new FencedError(fence.shard, answer.token);
    assert(answer.kind === 'rows' && answer.rows[0] !== undefined, `${name} answers one row`);
    return answer.rows[0].result;
  }

  /** The first four arguments of every function. */
  parameters(fence: Fence): unknown[] {
    return [this.lockKey, this.installation.id, fence.shard, tokenText(fence)];
  }
}

interface FenceColumns extends QueryResultRow {
  readonly fence_token: string;
  readonly present: true | null;
}

function tokenText(fence: Fence): string {
  assert(fence.token > 0n && fence.token <= MAX_TOKEN, 'a token is a positive 64-bit integer');
  return fence.token.toString();
}

/** 31 random bits of the installation's id: never negative, so that it is its own object id. */
export function lockKeyOf(installationId: string): number {
  return Number.parseInt(installationId.slice(0, 8), 16) >>> 1;
}
