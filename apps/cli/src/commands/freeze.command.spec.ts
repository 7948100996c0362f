import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CliWorld, json, refuse } from '../testing/cli-world.js';

let world: CliWorld;
beforeEach(async () => {
  world = await CliWorld.start();
  scopes('acme', 'acme/prod/app:limits');
});
afterEach(() => world.stop());

const REASON = ['--reason', 'incident 12'];

/** Every address that is known. */
function scopes(...addresses: string[]): void {
  const items = addresses.map((address) => ({ address }));
  world.answers.set('GET /v1/scopes?limit=1000', json({ items }));
  for (const scope of ['acme', 'acme/prod']) {
    const within = items.filter(({ address }) => address.startsWith(scope));
    const line = `GET /v1/scopes?prefix=${encodeURIComponent(scope)}&limit=1000`;
    world.answers.set(line, json({ items: within }));
  }
}

/** The policy of a scope: its versions, and which of them is released. */
function policy(
  scope: string,
  versions: readonly object[],
  stableVersion: number | null,
  state = 'idle',
): void {
  const at = `${scope}:release-policy`;
  const view = (version: number) => ({ address: at, version, document: versions[version - 1] });
  const newest = versions.length;
  if (newest > 0) world.answers.set(`GET /v1/config/${at}`, json(view(newest)));
  for (let version = 1; version <= newest; version += 1) {
    world.answers.set(`GET /v1/config/${at}?version=${version}`, json(view(version)));
  }
  const release = { address: at, state, releaseVersion: 1, stableVersion };
  if (newest > 0) world.answers.set(`GET /v1/release/${at}`, json(release));
  world.answers.set(`PUT /v1/config/${at}?message=incident+12`, json(view(newest + 1)));
  world.answers.set(`POST /v1/release/${at}`, json({ ...release, stableVersion: newest + 1 }));
}

/** What holds for a scope in the end. */
function effective(scope: string, document: object | null, by = scope): void {
  const address = `${scope}:release-policy`;
  const explain = { '/frozen': { address: `${by}:release-policy`, version: 1, author: 'ann' } };
  const view = { address, snapshotVersion: 1, document, hash: '', explain };
  world.answers.set(`GET /v1/effective/${address}?explain=true`, json(view));
}

function sent(): unknown[] {
  const written = world.requests.filter(({ line }) => !line.startsWith('GET'));
  return written.map(({ body }) => JSON.parse(body) as unknown);
}

describe('pawl freeze', () => {
  it('writes into the policy of a scope that had none, and releases it', async () => {
    policy('acme', [], null);
    const { code, out, err } = await world.pawl('freeze', 'acme', ...REASON);
    expect([code, err]).toEqual([0, '']);
    expect(out).toBe('acme is frozen: acme:release-policy version 1\n1 scope is frozen\n');
    expect(sent()).toEqual([
      { frozen: 'incident 12' },
      { action: 'promote', targetVersion: 1, reason: 'incident 12' },
    ]);
    const [put] = world.requests.filter(({ line }) => line.startsWith('PUT'));
    expect(put?.headers['if-none-match']).toBe('*');
  });

  it('notes a scope that nothing is known of, which may be misspelled', async () => {
    policy('acme/prdo', [], null);
    const none = 'GET /v1/scopes?prefix=acme%2Fprdo&limit=1000';
    world.answers.set(none, json({ items: [] }));
    for (const args of [
      ['freeze', 'acme/prdo', ...REASON],
      ['unfreeze', 'acme/prdo'],
    ]) {
      const { code, err } = await world.pawl(...args);
      expect(code).toBe(0);
      expect(err).toBe('note: nothing is known at acme/prdo or below: is it spelled so?\n');
    }
  });

  it('keeps the rest of the policy, and leaves out what was not released', async () => {
    policy('acme', [{ demand: 'canary' }, { demand: null }], 1);
    const { out } = await world.pawl('freeze', 'acme', ...REASON);
    expect(out).toContain('version 2 of the policy, which was not released, is left out');
    expect(sent()[0]).toEqual({ demand: 'canary', frozen: 'incident 12' });
    const [put] = world.requests.filter(({ line }) => line.startsWith('PUT'));
    expect(put?.headers['if-match']).toBe('"2"');
  });

  it('takes nothing of a policy of which nothing was released', async () => {
    policy('acme', [{ demand: 'canary' }], null);
    await world.pawl('freeze', 'acme', ...REASON);
    expect(sent()[0]).toEqual({ frozen: 'incident 12' });
  });

  it('changes nothing where it is frozen for that reason already', async () => {
    policy('acme', [{ frozen: 'incident 12' }], 1);
    const { code, out } = await world.pawl('freeze', 'acme', ...REASON);
    expect([code, out]).toEqual([0, 'acme is frozen already\n1 scope is frozen\n']);
    expect(world.writes()).toEqual([]);
  });

  it('freezes every root with --all, goes on past one that fails, and names it', async () => {
    scopes('acme', 'acme/app', 'bad:limits', 'zoo/x');
    for (const root of ['acme', 'zoo']) policy(root, [], null);
    policy('bad', [], null);
    world.answers.set('POST /v1/release/bad:release-policy', refuse('no-owner', 'ask again'));
    const { code, out, err } = await world.pawl('freeze', '--all', ...REASON);
    expect(code).toBe(1);
    expect(out).toContain('acme is frozen: acme:release-policy version 1\n');
    expect(out).toContain('zoo is frozen: zoo:release-policy version 1\n');
    expect(err).toMatch(/not frozen:\nbad: .*ask again\n/);
    expect(err).toContain("pawl freeze bad --reason 'why'\n");
    const asJson = await world.pawl('-o', 'json', 'freeze', '--all', ...REASON);
    expect(asJson.code).toBe(1);
    const told = JSON.parse(asJson.out) as { frozen: object[]; failed: object[] };
    expect(told.frozen).toHaveLength(2);
    expect(told.failed).toEqual([
      { scope: 'bad', why: expect.stringContaining('ask again') as string },
    ]);
  });

  it('says that a policy that is disabled freezes nothing, and writes nothing there', async () => {
    for (const frozen of ['incident 12', 'before']) {
      policy('acme', [{ frozen }], 1, 'disabled');
      const { code, out, err } = await world.pawl('freeze', 'acme', ...REASON);
      expect([code, out, world.writes()]).toEqual([1, '0 scopes are frozen\n', []]);
      expect(err).toMatch(/acme:release-policy is disabled, .*: enable it first/);
      const url = world.env['PAWL_URL'];
      expect(err).toContain(
        `\nenable it first: PAWL_URL=${url} pawl enable acme:release-policy\ntry it for these: `,
      );
    }
    effective('acme', null);
    const { code, out } = await world.pawl('unfreeze', 'acme');
    expect([code, out]).toEqual([0, 'acme has no freeze of its own\nnothing was frozen there\n']);
  });

  it.each([
    [['freeze', 'acme'], "required option '--reason <text>'"],
    [['freeze', 'acme', '--reason', ' '], 'a reason has 1 to 1024 characters'],
    [['freeze', ...REASON], 'name the scopes, or say --all'],
    [['unfreeze', 'acme', '--all'], 'name the scopes, or say --all'],
    [['unfreeze', 'acme:limits'], '"acme:limits" is not a scope: it names a document'],
    [['freeze', 'Acme', ...REASON], '"Acme" is not a scope'],
  ])('%j is refused before anything is asked', async (args, why) => {
    const { code, err } = await world.pawl(...args);
    expect([code, err]).toEqual([2, expect.stringContaining(why)]);
    expect(world.requests).toEqual([]);
  });
});

describe('pawl unfreeze', () => {
  const unfreeze = (...args: string[]) => world.pawl('unfreeze', ...args, ...REASON);

  it('takes the freeze out of the policy, and nothing else', async () => {
    policy('acme', [{ demand: 'canary', frozen: 'incident 12' }], 1);
    const { code, out, err } = await unfreeze('acme');
    expect([code, err]).toEqual([0, '']);
    expect(out).toBe('acme is unfrozen: acme:release-policy version 2\n1 scope is unfrozen\n');
    expect(sent()[0]).toEqual({ demand: 'canary' });
  });

  it('changes nothing where nothing is frozen, and tells what still is', async () => {
    scopes('acme/prod', 'acme/prod/a:release-policy', 'acme/prod/b:release-policy');
    policy('acme/prod', [], null);
    effective('acme', { frozen: 'year\u001bend' });
    effective('acme/prod/a', { frozen: 'year\u001bend' }, 'acme');
    effective('acme/prod/b', { frozen: 'broken' });
    const { code, out, err } = await unfreeze('acme/prod');
    expect([code, world.writes()]).toEqual([0, []]);
    expect(out).toBe(
      'acme/prod is frozen still: no freeze was set there by hand\n0 scopes are unfrozen, 1 scope is not\n',
    );
    expect(err.split('\n')).toEqual([
      'note: acme/prod/b:release-policy still freezes all below: broken',
      'note: acme:release-policy still freezes all below: year end',
      '',
    ]);
    const asJson = await world.pawl('-o', 'json', 'unfreeze', 'acme/prod');
    expect(JSON.parse(asJson.out)).toEqual({
      unfrozen: [],
      frozen: [{ scope: 'acme/prod' }],
      failed: [],
      still: [
        { address: 'acme/prod/b:release-policy', why: 'broken' },
        { address: 'acme:release-policy', why: 'year\u001bend' },
      ],
    });
  });

  it('says of a scope without a freeze that nothing was frozen there', async () => {
    policy('acme/prod', [{ demand: 'canary' }], 1);
    const { code, out, err } = await unfreeze('acme/prod');
    expect([code, err, world.writes()]).toEqual([0, '', []]);
    expect(out).toBe('acme/prod has no freeze of its own\nnothing was frozen there\n');
    policy('acme', [{ frozen: 'incident 12' }], 1);
    effective('acme', {});
    expect((await unfreeze('acme', 'acme/prod')).out).toMatch(
      /\n1 scope is unfrozen, 1 had no freeze\n$/,
    );
    scopes('acme/prod', 'acme/prod/b:release-policy');
    effective('acme/prod/b', { frozen: 'broken' });
    expect((await unfreeze('acme/prod')).out).toMatch(
      /\n0 scopes are unfrozen, 1 had no freeze\n$/,
    );
  });

  it('counts a scope that only something below freezes as one that is unfrozen', async () => {
    scopes('acme/prod', 'acme/prod/b:release-policy');
    policy('acme/prod', [{ frozen: 'incident 12' }], 1);
    effective('acme/prod', {});
    effective('acme/prod/b', { frozen: 'broken' });
    const { out } = await unfreeze('acme/prod');
    expect(out).toMatch(/\n1 scope is unfrozen\n$/);
  });

  it('fails where nobody can tell whether something is frozen still', async () => {
    policy('acme', [{ frozen: 'incident 12' }], 1);
    const line = 'GET /v1/effective/acme:release-policy?explain=true';
    world.answers.set(line, refuse('no-owner', 'ask again'));
    const { code, out, err } = await unfreeze('acme');
    expect([code, out]).toEqual([
      1,
      'acme: the freeze that was set there is lifted, acme:release-policy version 2\n0 scopes are unfrozen, 1 scope is not\n',
    ]);
    expect(err).toMatch(/not unfrozen:\nacme: may be frozen still: .*ask again\n/);
  });

  describe('in a freeze by the clock', () => {
    const until = '2026-12-03T00:00:00.000Z';
    const clock = (scope: string) => ({ scope, reason: 'year\u001bend', until, byClock: true });
    const FREEZES = { freezes: [{ reason: 'year end', until }] };
    const note = () =>
      `note: acme:release-policy still freezes all below, by the clock until ${until}: year end; ` +
      `its times are in \`freezes\` there: PAWL_URL=${world.env['PAWL_URL']} pawl config get acme:release-policy\n`;
    const answer = (address: string, more: object): void => {
      const view = { address, state: 'idle', releaseVersion: 1, stableVersion: 1, ...more };
      world.answers.set(`GET /v1/release/${address}`, json(view));
    };

    it('says what still holds where there is nothing to lift, and where it was lifted', async () => {
      scopes('acme/prod/app:limits', 'acme:release-policy');
      answer('acme/prod/app:limits', { frozen: clock('acme') });
      effective('acme', FREEZES);
      for (const [own, line] of [
        [{}, 'no freeze was set there by hand'],
        [
          { frozen: 'incident 12' },
          'the freeze that was set there is lifted, acme:release-policy version 2',
        ],
      ] as const) {
        policy('acme', [{ ...FREEZES, ...own }], 1);
        const { code, out, err } = await unfreeze('acme');
        expect([code, err]).toEqual([0, note()]);
        expect(out).toBe(`acme is frozen still: ${line}\n0 scopes are unfrozen, 1 scope is not\n`);
      }
      const { out } = await world.pawl('-o', 'json', 'unfreeze', 'acme', ...REASON);
      expect(JSON.parse(out)).toMatchObject({
        unfrozen: [],
        still: [{ address: 'acme:release-policy', why: 'year\u001bend', until, byClock: true }],
      });
    });

    it('knows one above a scope that nothing is known of, and no other', async () => {
      answer('acme', { frozen: clock('acme') });
      policy('acme/typo', [], null);
      world.answers.set('GET /v1/scopes?prefix=acme%2Ftypo&limit=1000', json({ items: [] }));
      effective('acme', FREEZES);
      const { out, err } = await unfreeze('acme/typo');
      expect(out).toBe(
        'acme/typo is frozen still: no freeze was set there by hand\n0 scopes are unfrozen, 1 scope is not\n',
      );
      expect(err).toContain(note());
      answer('acme', { frozen: clock('acme/prod') });
      expect((await unfreeze('acme/typo')).out).toContain('\nnothing was frozen there\n');
    });

    it('says that it is unfrozen where none holds now', async () => {
      answer('acme', {});
      policy('acme', [{ ...FREEZES, frozen: 'incident 12' }], 1);
      effective('acme', FREEZES);
      const { out, err } = await unfreeze('acme');
      expect([out, err]).toEqual([
        'acme is unfrozen: acme:release-policy version 2\n1 scope is unfrozen\n',
        '',
      ]);
    });
  });
});
