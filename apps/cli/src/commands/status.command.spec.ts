import type { RolloutView } from '@pawl/contracts';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  breaking,
  CliWorld,
  json,
  refuse,
  releaseInStages,
  rollout,
  stream,
  underWay,
} from '../testing/cli-world.js';

const AS_OF = '2026-01-02T12:00:03.000Z';
const AGE = `as of ${AS_OF}, its owner has not confirmed it since\n`;
const ROLLOUT: RolloutView = {
  address: 'acme/app',
  published: null,
  consumers: { live: 0, applied: 0, lagging: 0, rejected: 0, byVersion: {} },
  rejections: [],
  propagationMs: { p50: null, p95: null, p99: null, max: null },
  converged: false,
};

let world: CliWorld;
beforeEach(async () => {
  world = await CliWorld.start();
});
afterEach(() => world.stop());

it('says how old rollout and consumers are, where their owner does not confirm them', async () => {
  world.answers.set('GET /v1/rollout/acme/app', json({ ...ROLLOUT, asOf: AS_OF }));
  world.answers.set('GET /v1/consumers/acme/app?limit=100', json({ items: [], asOf: AS_OF }));
  expect((await world.pawl('status', 'acme/app')).out).toMatch(new RegExp(`converged\n${AGE}$`));
  expect((await world.pawl('consumers', 'acme/app')).out).toMatch(new RegExp(`REASON\n${AGE}$`));
});

it('says nothing of an age where they are confirmed', async () => {
  world.answers.set('GET /v1/rollout/acme/app', json(ROLLOUT));
  world.answers.set('GET /v1/consumers/acme/app?limit=100', json({ items: [] }));
  expect((await world.pawl('status', 'acme/app')).out).toMatch(/converged\n$/);
  expect((await world.pawl('consumers', 'acme/app')).out).toMatch(/REASON\n$/);
});

it('says who runs a version as a candidate', async () => {
  const consumer = {
    workload: 'checkout',
    slot: 0,
    version: 5,
    state: 'applied',
    lastSeenAt: AS_OF,
  };
  const items = [
    { ...consumer, consumerId: 'host-1' },
    { ...consumer, consumerId: 'host-2', cohort: 'r1' },
  ];
  world.answers.set('GET /v1/consumers/acme/app?limit=100', json({ items }));
  const { out } = await world.pawl('consumers', 'acme/app');
  expect(out).toMatch(/host-1 .* 5 +applied/);
  expect(out).toMatch(/host-2 .* 5 \(candidate\) +applied/);
});

describe('a release in stages', () => {
  const command = (words: string) => `PAWL_URL=${world.env['PAWL_URL']} pawl ${words}`;
  /** What is said of releases: all behind the empty line. */
  const told = (out: string): string[] => out.trimEnd().split('\n\n').slice(1);

  beforeEach(() => {
    world.answers.set('GET /v1/release/acme/app', releaseInStages());
  });

  it('is shown with its stages, its candidates, its gates and what can be done', async () => {
    const release = underWay({ bakeLeftMs: 250_000, reason: '3 of 4 candidates have applied it' });
    world.answers.set('GET /v1/rollout/acme/app', json({ ...rollout(5, 4), releases: [release] }));
    const { out } = await world.pawl('status', 'acme/app');
    expect(out).toMatch(/^acme\/app snapshot 5 published/);
    expect(told(out)[0]?.split('\n')).toEqual([
      'version 3 by canary at acme/app is rolling, stage 2 of 3',
      '  1 [####################] 1 of each workload',
      '  2 [###############-----] 10 %: 3 of 4 applied, 4m 10s of its bake left',
      '  3 [--------------------] 100 %',
      'candidates: 4 live, 3 applied, 0 rejected, 1 lagging, 0 lost',
      'waits: 3 of 4 candidates have applied it',
      'gates: rejections > 0 → abort; lost > 5 % → pause; applied < 95 % within 1m → pause',
      `stop it where it is: ${command('pause acme/app')}`,
      `go on at once: ${command('advance acme/app')}`,
      `take it back: ${command('abort acme/app')}`,
    ]);
  });

  it('that is paused says why, and how it goes on; controls do not reach the terminal', async () => {
    const reason = 'errors\u001b[2J rise';
    const candidates = { live: 0, applied: 0, rejected: 0, lagging: 0, lost: 1 };
    const expiresAt = '2026-01-08T00:00:00.000Z';
    const release = underWay({ state: 'paused', reason, candidates, expiresAt });
    world.answers.set('GET /v1/rollout/acme/app', json({ ...rollout(5, 4), releases: [release] }));
    const [lines] = told((await world.pawl('status', 'acme/app')).out);
    expect(lines).toContain('version 3 by canary at acme/app is paused, stage 2 of 3\n');
    expect(lines).toContain('  2 [--------------------] 10 %: 0 of 0 applied\n');
    expect(lines).toContain('\npaused: errors [2J rise\n');
    expect(lines).toContain(`\nunless it is resumed it is aborted at ${expiresAt}\n`);
    expect(lines).toMatch(/go on: .* resume acme\/app\ntake it back: .* abort acme\/app$/);
  });

  it('of an ancestor is told by its own address, each release by itself', async () => {
    const releases = [underWay({ id: 'r0', address: 'acme', candidate: 9 }), underWay()];
    world.answers.set('GET /v1/rollout/acme/app', json({ ...rollout(5, 4), releases }));
    const answer = releaseInStages({ id: 'r0', strategy: 'linear' });
    world.answers.set('GET /v1/release/acme', answer);
    const [above, own] = told((await world.pawl('status', 'acme/app')).out);
    expect(above).toMatch(/^version 9 by linear at acme is rolling/);
    expect(above).toContain(command('pause acme\n'));
    expect(own).toMatch(/^version 3 by canary at acme\/app is rolling/);
  });

  it('of many stages shows those around the one that is reached', async () => {
    const stages = Array.from({ length: 20 }, (_, at) => ({ percent: 5 * (at + 1) }));
    const release = underWay({ stage: 9, stages });
    world.answers.set('GET /v1/rollout/acme/app', json({ ...rollout(5, 4), releases: [release] }));
    const { out } = await world.pawl('status', 'acme/app');
    const shown = [...out.matchAll(/^  (…| *\d+) ?/gm)].map(([, at]) => at?.trim());
    expect(shown).toEqual(['1', '…', '8', '9', '10', '11', '12', '…', '20']);
  });

  it('is shown without its strategy where that is not told', async () => {
    world.answers.set('GET /v1/release/acme/app', refuse('truth-unavailable', 'no PostgreSQL'));
    const releases = [underWay()];
    world.answers.set('GET /v1/rollout/acme/app', json({ ...rollout(5, 4), releases }));
    const { code, out } = await world.pawl('status', 'acme/app');
    expect(code).toBe(0);
    expect(told(out)[0]).toMatch(/^version 3 at acme\/app is rolling, stage 2 of 3\n/);
    expect(out).not.toContain('gates:');
    const { out: text } = await world.pawl('status', 'acme/app', '-o', 'json');
    expect(JSON.parse(text)).toEqual({ ...rollout(5, 4), releases });
  });

  describe('that is watched', () => {
    const at = (stage: number, bakeLeftMs: number): RolloutView => ({
      ...rollout(5, 3),
      releases: [underWay({ stage, bakeLeftMs })],
    });
    const watch = async (isTty: boolean, end: string) => {
      const interrupt = new AbortController();
      const onOut = (out: string): void => {
        if (out.includes(end)) interrupt.abort();
      };
      const { signal } = interrupt;
      return world.run(['status', 'acme/app', '--watch'], { isTty, signal, onOut });
    };

    it('is drawn in its place, again below what is said meanwhile', async () => {
      const turns = [breaking(at(0, 2_000), at(0, 1_000))];
      world.answers.set('GET /v1/rollout/acme/app', (...exchange) =>
        (turns.shift() ?? stream(at(1, 3_000), rollout(6, 4)))(...exchange),
      );
      const { code, out, err } = await watch(true, 'v6');
      expect([code, err]).toEqual([0, expect.stringContaining('reconnecting')]);
      const drawn = out.split('\r');
      expect(drawn.map((picture) => /^(\u001b\[\dA)?\u001b\[J/.exec(picture)?.[1])).toEqual([
        ...[undefined, undefined, '\u001b[5A', undefined, '\u001b[5A'],
      ]);
      expect(drawn[1]).toContain('1 [###############-----] 1 of each workload: 3 of 4 applied, 2s');
      expect(drawn[2]?.endsWith('lost\n')).toBe(true);
      expect(drawn[3]).toContain('2 [###############-----] 10 %: 3 of 4 applied, 3s of its bake');
      expect(drawn[4]).toMatch(/J[^\n]* converged\n$/);
      for (const line of out.split(/[\r\n]+/)) {
        expect(line.replaceAll(/\u001b\[\d*[AJ]/g, '').length).toBeLessThan(80);
      }
    });

    it('is a line in a log each time that more than the time has changed', async () => {
      const end = rollout(6, 4);
      const views = [at(0, 2_000), at(0, 1_000), at(1, 3_000), end];
      world.answers.set('GET /v1/rollout/acme/app', stream(...views));
      const lines = (await watch(false, 'v6')).out.trimEnd().split('\n');
      const place = (text: string) =>
        `  version 3 by canary at acme/app is rolling, ${text}: 4 live, 3 applied, 0 rejected, 1 lagging, 0 lost`;
      const head = expect.stringMatching(/^acme\/app v5 \[#+-+\] 3\/4 $/) as string;
      expect(lines).toEqual([
        ...[head, place('stage 1 of 3 (1 of each workload)'), head, place('stage 2 of 3 (10 %)')],
        expect.stringMatching(/^acme\/app v6 \[#+\] 4\/4 converged$/),
      ]);
    });
  });
});
