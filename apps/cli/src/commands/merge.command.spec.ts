import type { MergeView } from '@pawl/contracts';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CliWorld, json, refuse, release } from '../testing/cli-world.js';

const POST = 'POST /v1/merge/acme/prod';
const PLAN: MergeView = {
  ...{ address: 'acme/prod', version: 12, changed: true, schema: 'kept' },
  origin: { address: 'acme/staging', version: 7, baseVersion: 3 },
  patch: [
    { op: 'replace', path: '/limits/max', value: 80 },
    { op: 'remove', path: '/old' },
    { op: 'add', path: '/more~1x', value: [true] },
  ],
  ...{ conflicts: [], conflictCount: 0, kept: ['/replicas'], keptCount: 1, warnings: [] },
};
const CONFLICT: MergeView = {
  ...PLAN,
  ...{ changed: false, conflictCount: 2 },
  conflicts: [
    { part: 'schema', pointer: '' },
    { part: 'document', pointer: '/limits/max', base: 50, theirs: 80 },
  ],
};
const definitionOf = (address: string, version: number, document: object) =>
  json({ address, version, document, hash: '', author: 'ada', createdAt: '' });

let world: CliWorld;
beforeEach(async () => {
  world = await CliWorld.start();
  world.answers.set(
    'GET /v1/config/acme/staging?version=7',
    definitionOf('acme/staging', 7, { limits: { max: 80 } }),
  );
  world.answers.set(
    'GET /v1/config/acme/prod?version=12',
    definitionOf('acme/prod', 12, { limits: { max: 50 }, old: 'x', replicas: 3 }),
  );
});
afterEach(() => world.stop());

const bodies = () =>
  world.requests
    .filter(({ line }) => line.startsWith('POST'))
    .map(({ body, headers }) => [JSON.parse(body), headers['if-match']] as const);

describe('pawl merge', () => {
  it('shows what is merged, writes exactly that, and says what to do next', async () => {
    world.answers.set('GET /v1/release/acme/staging', release(6));
    world.answers.set(POST, json(PLAN));
    world.answers.set(
      `${POST}?message=why`,
      json({ address: 'acme/prod', version: 13, origin: PLAN.origin, warnings: [] }),
    );
    const { code, out, err } = await world.pawl('merge', 'acme/staging', 'acme/prod', '-m', 'why');
    expect([code, err]).toEqual([0, 'note: this is version 7, the newest; version 6 runs\n']);
    expect(out.split('\n').slice(0, 6)).toEqual([
      'acme/staging from version 3 to 7, onto acme/prod version 12',
      '  ~ /limits/max  50 → 80',
      '  - /old  "x"',
      '  + /more~1x  [true]',
      'stays as it is, being local: /replicas',
      'acme/prod version 13',
    ]);
    expect(out).toMatch(/\npromote it: .*pawl.* promote acme\/prod\n$/);
    expect(bodies()).toEqual([
      [{ from: 'acme/staging', dryRun: true }, undefined],
      [{ from: 'acme/staging', fromVersion: 7, baseVersion: 3 }, '"12"'],
    ]);
  });

  it('shows conflicts with all three values, writes nothing, and says how to go on', async () => {
    world.answers.set(POST, json(CONFLICT));
    const { code, out, err } = await world.pawl('merge', 'acme/staging', 'acme/prod');
    expect(code).toBe(1);
    expect(out).toMatch(
      /CONFLICT +AT 3 +THEIRS, ACME\/STAGING +OURS, ACME\/PROD\nschema +… +… +…\n/,
    );
    expect(out).toMatch(/\n\/limits\/max +50 +80 +\(nothing\)\n/);
    expect(err).toContain('2 changes meet others at acme/prod; nothing was written');
    expect(err).toContain(
      "merge acme/staging acme/prod --base 3 --from-version 7 --theirs 'schema'",
    );
    expect(bodies()).toHaveLength(1);
  });

  it('asks as it is told', async () => {
    world.answers.set(POST, json({ ...PLAN, changed: false, patch: [] }));
    const { out } = await world.pawl(
      ...['merge', 'acme/staging', 'acme/prod', '--from-version', '6', '--base', '0'],
      ...['--ours', '/a', '--ours', 'limits.max', '--theirs', 'schema', '--theirs', ''],
    );
    const resolve = { '/a': 'ours', '/limits/max': 'ours', schema: 'theirs', '': 'theirs' };
    expect(bodies()[0]?.[0]).toEqual({
      ...{ from: 'acme/staging', fromVersion: 6, baseVersion: 0, dryRun: true, resolve },
    });
    expect(out).toContain('nothing changes at acme/prod\n');
  });

  it('only shows it with --dry-run, as JSON too', async () => {
    world.answers.set(POST, json(PLAN));
    const words = ['merge', 'acme/staging', 'acme/prod', '--dry-run'];
    expect((await world.pawl(...words)).out).toMatch(/nothing was written\n$/);
    world.answers.set(POST, json(CONFLICT));
    const { code, out } = await world.pawl(...words, '-o', 'json');
    expect([code, JSON.parse(out)]).toEqual([0, CONFLICT]);
    expect(bodies()).toHaveLength(2);
  });

  it('says what to send where nobody knows the base', async () => {
    world.answers.set(POST, refuse('merge-base-required', 'send baseVersion'));
    const { code, err } = await world.pawl('merge', 'acme/staging', 'acme/prod');
    expect([code, err]).toEqual([1, expect.stringContaining('--base')]);
  });
});

describe('pawl diff', () => {
  it('shows what differs between two addresses', async () => {
    world.answers.set(
      'GET /v1/diff/acme/staging?with=acme%2Fprod&from=7',
      json({ from: 7, to: 12, with: 'acme/prod', patch: PLAN.patch }),
    );
    const { code, out } = await world.pawl('diff', 'acme/staging@7', 'acme/prod');
    expect([code, out]).toEqual([
      0,
      'acme/staging version 7 → acme/prod version 12\n' +
        '  ~ /limits/max  80 → 80\n  - /old  (nothing)\n  + /more~1x  [true]\n',
    ]);
  });

  it('shows what differs in what is read', async () => {
    world.answers.set(
      'GET /v1/diff/acme/staging?with=acme%2Fprod&effective=true',
      json({ from: 4, to: 9, with: 'acme/prod', effective: true, patch: [] }),
    );
    world.answers.set('GET /v1/effective/acme/staging', json({ document: { a: 1 } }));
    const { out } = await world.pawl('diff', 'acme/staging', 'acme/prod', '--effective');
    expect(out).toBe('acme/staging snapshot 4 → acme/prod snapshot 9\n  no difference\n');
  });

  it.each([
    ['acme/staging@x', 'acme/prod'],
    ['acme@1@2', 'acme/prod'],
    ['acme@1', 'acme/prod', '--effective'],
  ])('refuses %s %s', async (...words) => {
    expect((await world.pawl('diff', ...words)).code).toBe(2);
  });
});
