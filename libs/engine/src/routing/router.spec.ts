import { done, refused } from '@pawl/contracts';
import type { Outcome, OwnerCall } from '@pawl/contracts';
import { ManualTime } from '@pawl/kernel';
import { setImmediate as turn } from 'node:timers/promises';
import { beforeEach, describe, expect, it } from 'vitest';
import { DistributionUnavailableError } from '../publication/snapshot-publisher.port.js';
import { ReadErrand, WriteErrand } from './errand.js';
import { CommandOutcomeUnknownError, NoOwnerError } from './owner-calls.port.js';
import { Router } from './router.js';

const CALL: OwnerCall = { format: 1, kind: 'call', operation: 'get-release', address: 'acme' };

/** One shard, whose owner and whose answers the test decides; time moves by hand. */
class Scene {
  readonly time = new ManualTime();
  readonly sent: { readonly token: bigint; readonly key: string | undefined; at: number }[] = [];
  serves = false;
  serving = true;
  other = 1n;
  mayMove = false;
  /** How often a write told that it goes away. */
  away = 0;
  token: bigint | null = 1n;
  lookedUp: () => Promise<bigint | null> = () => Promise.resolve(this.token);
  answer: (token: bigint) => Outcome<unknown> = () => done('there');
  here: () => Outcome<unknown> = () => done('here');
  readonly #listeners = new Set<() => void>();

  readonly router: Router;

  /** A quarter of it may wait for the one shard. */
  constructor(maxRouted = 8) {
    this.router = new Router({
      serves: () => this.serves,
      ownership: {
        map: () => [this.#claim(this.token), this.#claim(this.other)],
        lookUp: async () => this.#claim(await this.lookedUp()),
        mayMove: () => this.mayMove,
        onChange: (listener) => {
          this.#listeners.add(listener);
          return { stop: () => void this.#listeners.delete(listener) };
        },
      },
      calls: {
        call: async ({ token }, { json }) => {
          const call = JSON.parse(json) as OwnerCall;
          const key = 'context' in call ? call.context.idempotency?.key : undefined;
          this.sent.push({ token, key, at: this.time.monotonicMs() });
          return this.answer(token);
        },
      },
      shards: 1,
      clock: this.time,
      timer: this.time,
      deadlineMs: 10_000,
      maxRouted,
    });
  }

  get listeners(): number {
    return this.#listeners.size;
  }

  moveTo(token: bigint | null): void {
    this.token = token;
    for (const listener of [...this.#listeners]) listener();
  }

  /** Another shard changes hands. */
  moveOther(): void {
    this.other += 1n;
    for (const listener of [...this.#listeners]) listener();
  }

  read(): Promise<Outcome<unknown>> {
    return this.router.run(
      'acme',
      new ReadErrand({ here: async () => this.here(), call: () => CALL }, this.#answer),
    );
  }

  write(key?: string): Promise<Outcome<unknown>> {
    let made = 0;
    const context = { actor: 'ann' };
    const given = key === undefined ? {} : { idempotency: { key, requestHash: '' } };
    const errand = new WriteErrand<unknown>(
      { ...context, ...given },
      {
        here: async () => this.here() as Outcome<never>,
        call: (keyed) => ({
          ...CALL,
          operation: 'release',
          request: { action: 'promote' },
          context: keyed,
        }),
        away: () => void (this.away += 1),
      },
      { newId: () => `id ${(made += 1)}`, answer: this.#answer },
    );
    return this.router.run('acme', errand);
  }

  /** Lets time pass until `work` has settled; answers when that was. */
  async until<T>(work: Promise<T>): Promise<{ readonly result: T; readonly at: number }> {
    let settled: { result: T; at: number } | undefined;
    void work.then((result) => (settled = { result, at: this.time.monotonicMs() }));
    for (let step = 0; step < 10_000 && settled === undefined; step += 1) {
      await turn();
      if (settled === undefined) this.time.advance(5);
    }
    return settled ?? Promise.reject(new Error('it did not settle'));
  }

  readonly #answer = async (): Promise<Outcome<unknown>> => this.here();

  #claim(token: bigint | null) {
    const owner = token === null ? null : 'another';
    return { shard: 0, owner, token, serving: token !== null && this.serving, since: null };
  }
}

const code = (outcome: Outcome<unknown>): unknown =>
  outcome.ok ? outcome.value : outcome.problem.code;

let scene: Scene;
beforeEach(() => {
  scene = new Scene();
});

describe('a request', () => {
  it('is done here where the shard is served, and asks nobody', async () => {
    scene.serves = true;
    expect(await scene.read()).toEqual(done('here'));
    expect(scene.sent).toEqual([]);
  });

  it('goes to the owner that the map names, and leaves nothing behind', async () => {
    scene.token = 7n;
    expect(await scene.read()).toEqual(done('there'));
    expect(scene.sent).toEqual([{ token: 7n, key: undefined, at: 0 }]);
    expect(scene.listeners).toBe(0);
  });

  it('is told what the owner refuses, at once', async () => {
    scene.answer = () => refused('not-found', 'nothing there');
    expect(code(await scene.read())).toBe('not-found');
    expect(scene.sent).toHaveLength(1);
  });

  it('goes to the next owner as soon as the map shows it', async () => {
    scene.answer = (token) => {
      if (token === 1n) throw new NoOwnerError('gone');
      return done('there');
    };
    scene.lookedUp = () => Promise.reject(new Error('no majority'));
    const asked = scene.read();
    await turn();
    scene.moveTo(2n);
    expect(await asked).toEqual(done('there'));
    expect(scene.sent.map(({ token }) => token)).toEqual([1n, 2n]);
    expect(scene.listeners).toBe(0);
  });

  it('goes to the owner that the quorum names before the map shows it', async () => {
    scene.lookedUp = () => Promise.resolve(2n);
    scene.answer = (token) => {
      if (token === 1n) throw new NoOwnerError('gone');
      return done('there');
    };
    expect((await scene.until(scene.read())).result).toEqual(done('there'));
    expect(scene.sent.map(({ token }) => token)).toEqual([1n, 2n]);
  });

  it('is done here when this node becomes the owner meanwhile', async () => {
    scene.token = null;
    const asked = scene.read();
    await turn();
    scene.serves = true;
    scene.moveTo(3n);
    expect(await asked).toEqual(done('here'));
  });

  it('waits for an owner until its deadline, and not longer', async () => {
    scene.token = null;
    const { result, at } = await scene.until(scene.read());
    expect(code(result)).toBe('no-owner');
    expect(at).toBeGreaterThan(9_000);
    expect(at).toBeLessThanOrEqual(10_000);
    expect(scene.listeners).toBe(0);
  });

  it('asks the quorum together with all others that wait for the shard', async () => {
    scene = new Scene(200);
    let asked = 0;
    scene.lookedUp = async () => {
      asked += 1;
      return 1n;
    };
    scene.answer = () => {
      throw new NoOwnerError('gone');
    };
    const { at } = await scene.until(Promise.all(Array.from({ length: 50 }, () => scene.read())));
    expect(scene.sent.length).toBeGreaterThan(50 * 20);
    expect(asked).toBeGreaterThan(10);
    expect(asked).toBeLessThanOrEqual(at / 100 + 1);
  });

  it('is not woken by what happens to other shards', async () => {
    scene.answer = () => {
      throw new NoOwnerError('gone');
    };
    const asked = scene.read();
    for (let step = 0; step < 5; step += 1) {
      scene.time.advance(400);
      await turn();
    }
    const sent = scene.sent.length;
    for (let change = 0; change < 100; change += 1) {
      scene.moveOther();
      await turn();
    }
    expect(scene.sent.length).toBe(sent);
    scene.answer = () => done('there');
    scene.moveTo(2n);
    expect(await asked).toEqual(done('there'));
  });

  it('is woken when the owner begins to serve', async () => {
    scene.serving = false;
    scene.answer = () => {
      if (!scene.serving) throw new NoOwnerError('still loading');
      return done('there');
    };
    const asked = scene.read();
    await turn();
    scene.serving = true;
    scene.moveTo(1n);
    expect(await asked).toEqual(done('there'));
    expect(scene.time.monotonicMs()).toBe(0);
  });

  it('does not wait for a quorum that does not answer', async () => {
    scene.lookedUp = () => new Promise(() => undefined);
    let calls = 0;
    scene.answer = () => {
      calls += 1;
      if (calls === 1) throw new NoOwnerError('not yet');
      return done('there');
    };
    const { result, at } = await scene.until(scene.read());
    expect([result, at < 1_200]).toEqual([done('there'), true]);
  });

  it('says that the owner cannot be reached while NATS is down', async () => {
    scene.answer = () => {
      throw new DistributionUnavailableError('down');
    };
    const { result } = await scene.until(scene.read());
    expect(result).toMatchObject({ problem: { code: 'no-owner', detail: /NATS/ } });
  });

  it('is refused when too many are on their way', async () => {
    scene.token = null;
    const waiting = [scene.read(), scene.read()];
    await turn();
    expect(code(await scene.read())).toBe('too-many-requests');
    scene.serves = true;
    expect(code(await scene.read())).toBe('here');
    scene.serves = false;
    scene.moveTo(1n);
    await Promise.all(waiting);
    expect(code(await scene.read())).toBe('there');
  });
});

describe('an owner that PostgreSQL does not answer', () => {
  const away = (): Outcome<never> => refused('truth-unavailable', 'nothing was written');

  it.each(['read', 'write'] as const)(
    'is asked again by a %s while its shard may move, and then the next one',
    async (kind) => {
      scene.mayMove = true;
      scene.answer = (token) => (token === 1n ? away() : done('there'));
      const asked = scene[kind]();
      for (let step = 0; step < 25; step += 1) {
        await turn();
        scene.time.advance(100);
      }
      expect(scene.sent.map(({ at }) => at)).toEqual([0, 1_000, 2_000]);
      scene.moveTo(2n);
      expect((await scene.until(asked)).result).toEqual(done('there'));
    },
  );

  it('is this node: the next one is asked once it is there', async () => {
    scene.mayMove = scene.serves = true;
    scene.here = away;
    const asked = scene.write();
    await turn();
    scene.serves = false;
    scene.moveTo(2n);
    expect((await scene.until(asked)).result).toEqual(done('there'));
  });

  it('is believed at once where nobody else could do better', async () => {
    scene.answer = away;
    expect(code(await scene.write())).toBe('truth-unavailable');
    expect(scene.sent).toHaveLength(1);
    scene.mayMove = true;
    const asked = scene.read();
    await turn();
    scene.mayMove = false;
    const { result, at } = await scene.until(asked);
    expect([code(result), at]).toEqual(['truth-unavailable', 1_000]);
  });

  it('is believed when it keeps its shard: PostgreSQL refuses for another reason', async () => {
    scene.mayMove = true;
    scene.answer = away;
    const { result, at } = await scene.until(scene.write());
    expect([code(result), at]).toEqual(['truth-unavailable', 7_000]);
    expect(scene.sent.length).toBe(8);
  });

  it('is not believed about a write whose outcome an owner did not know meanwhile', async () => {
    const unknown = refused('outcome-unknown', 'the answer of the commit was lost');
    for (const last of [away(), refused('too-many-requests', 'slow down')]) {
      const answers = [away(), unknown];
      scene.mayMove = true;
      scene.answer = () => {
        scene.mayMove = answers.length > 0;
        return answers.shift() ?? last;
      };
      expect(code((await scene.until(scene.write())).result)).toBe('outcome-unknown');
    }
  });

  it('is believed at the deadline, but not about a write that it may have done before', async () => {
    scene.mayMove = true;
    scene.answer = away;
    expect(code((await scene.until(scene.write())).result)).toBe('truth-unavailable');
    let calls = 0;
    scene.answer = () => {
      if ((calls += 1) === 1) throw new CommandOutcomeUnknownError('lost');
      return away();
    };
    expect(code((await scene.until(scene.write())).result)).toBe('outcome-unknown');
    calls = 0;
    scene.answer = () => {
      if ((calls += 1) === 1) throw new CommandOutcomeUnknownError('lost');
      scene.mayMove = false;
      return away();
    };
    expect(code((await scene.until(scene.write())).result)).toBe('outcome-unknown');
  });
});

describe('a write', () => {
  const lost = (): never => {
    throw new CommandOutcomeUnknownError('no answer in time');
  };

  it('bears no key while it is done here, and one key of ours wherever it is sent', async () => {
    let calls = 0;
    scene.answer = () => ((calls += 1) === 3 ? done('once') : lost());
    expect((await scene.until(scene.write())).result).toEqual(done('once'));
    expect(scene.sent.map(({ key }) => key)).toEqual(Array(3).fill('routed id 1'));
  });

  it('is text as soon as it waits for an owner, and says so once', async () => {
    scene.token = null;
    const asked = scene.write();
    await turn();
    expect(scene.away).toBe(1);
    scene.moveTo(1n);
    expect(await asked).toEqual(done('there'));
    expect(scene.away).toBe(1);
    scene.serves = true;
    await scene.write();
    expect(scene.away).toBe(1);
  });

  it('keeps the key of its caller', async () => {
    await scene.write('mine');
    expect(scene.sent.map(({ key }) => key)).toEqual(['mine']);
  });

  it('may have been done when nobody ever answered, whatever came last', async () => {
    let calls = 0;
    scene.answer = () => {
      if ((calls += 1) === 1) lost();
      scene.token = null;
      throw new NoOwnerError('gone');
    };
    expect(code((await scene.until(scene.write())).result)).toBe('outcome-unknown');
  });

  it.each([
    'truth-unavailable',
    'truth-behind',
    'too-many-requests',
    'internal',
    'still-running',
  ] as const)('is not told of as not done by %s, once it may have been done', async (said) => {
    for (const key of [undefined, 'mine']) {
      let calls = 0;
      scene.answer = () => ((calls += 1) === 1 ? lost() : refused(said, 'not looked up'));
      expect(code((await scene.until(scene.write(key))).result)).toBe('outcome-unknown');
      calls = 0;
      scene.answer = () => {
        if ((calls += 1) === 1) lost();
        return calls < 4 ? refused(said, 'not looked up') : done('once');
      };
      expect((await scene.until(scene.write(key))).result).toEqual(done('once'));
    }
  });

  it('was not done when nobody ever had it', async () => {
    scene.answer = () => {
      throw new NoOwnerError('gone');
    };
    expect(code((await scene.until(scene.write())).result)).toBe('no-owner');
  });

  it('is asked for again under its key while the owner looks its outcome up', async () => {
    const answers = [
      refused('outcome-unknown', 'looked up'),
      refused('still-running', 'the first runs'),
      done('once'),
    ];
    scene.answer = () => answers.shift() ?? done('twice');
    expect((await scene.until(scene.write())).result).toEqual(done('once'));
  });

  it('tells its caller that the first request with the caller’s own key still runs', async () => {
    scene.answer = () => refused('still-running', 'the first runs');
    expect(code(await scene.write('mine'))).toBe('still-running');
  });

  it('is not repeated here without a key, whose outcome nobody knows', async () => {
    scene.serves = true;
    scene.here = () => refused('outcome-unknown', 'lost');
    expect(code(await scene.write())).toBe('outcome-unknown');
  });
});
