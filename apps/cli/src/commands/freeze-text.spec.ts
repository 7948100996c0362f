import type { Freeze } from '@pawl/contracts';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  CliWorld,
  json,
  release,
  releaseInStages,
  rollout,
  stream,
  underWay,
} from '../testing/cli-world.js';

const INCIDENT: Freeze = { scope: 'acme', reason: 'incident\n12' };
const UNTIL = '2026-12-03T00:00:00.000Z';
const AUDIT: Freeze = { ...INCIDENT, reason: 'audit', until: UNTIL, byClock: true };

let world: CliWorld;
beforeEach(async () => {
  world = await CliWorld.start();
});
afterEach(() => world.stop());

const command = (words: string) => `PAWL_URL=${world.env['PAWL_URL']} pawl ${words}`;

/** What status says after this line of it. */
async function told(view: object, after: string): Promise<string[]> {
  world.answers.set('GET /v1/rollout/acme/app', json({ ...rollout(5, 4), ...view }));
  const lines = (await world.pawl('status', 'acme/app')).out.trimEnd().split('\n');
  return lines.slice(lines.indexOf(after) + 1);
}

describe('status of an address that is frozen', () => {
  it('says whose policy freezes it, why, and what can be done', async () => {
    expect(await told({ frozen: INCIDENT }, 'converged')).toEqual([
      '',
      'frozen by acme:release-policy: incident 12',
      `end it: ${command('unfreeze acme')}`,
      `promote all the same: ${command("promote acme/app --freeze-exception 'why'")}`,
    ]);
    const below = { ...INCIDENT, scope: 'acme/app/eu' };
    expect((await told({ frozen: below }, ''))[0]).toBe(
      'frozen by acme/app/eu:release-policy, which this reaches: incident 12',
    );
  });

  it('by the clock says until when, and where it is written', async () => {
    expect(await told({ frozen: AUDIT }, '')).toEqual([
      `frozen until ${UNTIL} by acme:release-policy: audit`,
      `its times are in: ${command('config get acme:release-policy')}`,
      `promote all the same: ${command("promote acme/app --freeze-exception 'why'")}`,
    ]);
  });

  it('offers its own release to go on with an exception only', async () => {
    world.answers.set('GET /v1/release/acme/app', releaseInStages());
    const rolling = underWay({ frozen: INCIDENT });
    const shown = await told({ frozen: INCIDENT, releases: [rolling] }, '');
    expect(shown.filter((line) => line.includes('PAWL_URL'))).toEqual([
      `end it: ${command('unfreeze acme')}`,
      `stop it where it is: ${command('pause acme/app')}`,
      `go on at once: ${command("advance acme/app --freeze-exception 'why'")}`,
      `take it back: ${command('abort acme/app')}`,
    ]);
    const paused = underWay({ state: 'paused', frozen: INCIDENT, held: { shop: 'why' } });
    expect(await told({ releases: [paused] }, '')).toContain(
      `go on: ${command("resume acme/app --freeze-exception 'why'")}`,
    );
    const held = underWay({ frozen: INCIDENT, held: { shop: 'why' } });
    expect(await told({ releases: [held] }, '')).toContain(
      `give what is held another try: ${command("resume acme/app --freeze-exception 'why'")}`,
    );
  });

  it('that is watched says so as long as it is', async () => {
    const interrupt = new AbortController();
    const views = [{ ...rollout(5, 4), frozen: AUDIT }, rollout(6, 4)];
    world.answers.set('GET /v1/rollout/acme/app', stream(...views));
    const { out } = await world.run(['status', 'acme/app', '--watch'], {
      signal: interrupt.signal,
      onOut: (text) => void (text.includes('v6') && interrupt.abort()),
    });
    expect(out.trimEnd().split('\n').slice(0, 3)).toEqual([
      expect.stringMatching(/^acme\/app v5 /),
      `frozen until ${UNTIL} by acme:release-policy: audit`,
      expect.stringMatching(/^acme\/app v6 /),
    ]);
  });
});

it('a step that was taken with an exception says that the next one needs one too', async () => {
  const stages = [{ count: 1, bakeMs: 1_000 }, { percent: 100 }];
  const staged = { id: 'r1', strategy: 'canary', stage: 0, stages, gates: [] };
  const answer = release(2, { state: 'rolling', candidate: 3, staged, frozen: INCIDENT });
  world.answers.set('POST /v1/release/acme/app', answer);
  const { out } = await world.pawl('advance', 'acme/app', '--freeze-exception', 'it is down');
  expect(out).toContain(
    '\nfrozen by acme:release-policy: incident 12\n' +
      `until that is over it waits at each stage, and before its end; to go on each time: ${command("advance acme/app --freeze-exception 'why'")}\n`,
  );
  expect(out).toContain(`go on at once: ${command("advance acme/app --freeze-exception 'why'")}\n`);
  const { frozen: _, ...free } = { state: 'rolling', candidate: 3, staged, frozen: INCIDENT };
  world.answers.set('POST /v1/release/acme/app', release(2, free));
  expect((await world.pawl('advance', 'acme/app')).out).not.toMatch(/frozen|freeze/);
});
