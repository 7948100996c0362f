import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CliWorld, json, refuse, written, releaseInStages } from '../testing/cli-world.js';

let world: CliWorld;

beforeEach(async () => {
  world = await CliWorld.start();
});

afterEach(() => world.stop());

describe('pawl apply', () => {
  it('maps a folder onto addresses: ancestors first, schemas before documents', async () => {
    await world.file('acme/prod.yaml', 'a: 1');
    await world.file('acme/prod/app.limits.yaml', 'max: 1');
    await world.file('acme.schema.json', '{}');
    await world.file('acme.json', '{}');
    await world.file('notes.txt', 'not a definition');
    world.answers.set('PUT /v1/schema/acme', written(1));
    world.answers.set('PUT /v1/config/acme', written(2));
    world.answers.set('PUT /v1/config/acme/prod', written(1));
    world.answers.set('PUT /v1/config/acme/prod/app:limits', written(1));
    const { code, out } = await world.pawl('apply', '-f', world.folder);
    expect(code).toBe(0);
    expect(world.writes()).toEqual([
      'PUT /v1/schema/acme',
      'PUT /v1/config/acme',
      'PUT /v1/config/acme/prod',
      'PUT /v1/config/acme/prod/app:limits',
    ]);
    expect(world.requests.at(-1)?.headers['if-none-match']).toBe('*');
    expect(out).toMatch(/acme\/prod\/app:limits +document +created +1/);
  });

  it('says unchanged where the server made no version', async () => {
    await world.file('acme/app.yaml', 'a: 1');
    world.answers.set('GET /v1/config/acme/app', json({ version: 7 }));
    world.answers.set('PUT /v1/config/acme/app', written(7));
    const { out } = await world.pawl('apply', '-f', world.folder);
    expect(out).toMatch(/acme\/app +document +unchanged +7/);
    expect(world.requests.at(-1)?.headers['if-match']).toBe('"7"');
  });

  it('says how to promote each address that it wrote, once, unless it was told to', async () => {
    await world.file('acme.schema.json', '{}');
    await world.file('acme.json', '{}');
    await world.file('acme/app.yaml', 'a: 1');
    await world.file('acme/same.yaml', 'a: 1');
    world.answers.set('PUT /v1/schema/acme', written(1));
    world.answers.set('PUT /v1/config/acme', written(2));
    world.answers.set('PUT /v1/config/acme/app', written(1));
    world.answers.set('GET /v1/config/acme/same', json({ version: 7 }));
    world.answers.set('PUT /v1/config/acme/same', written(7));
    const command = `PAWL_URL=${world.env['PAWL_URL']} pawl promote`;
    const { out } = await world.pawl('apply', '-f', world.folder);
    expect(out.split('\n').slice(-4)).toEqual([
      expect.stringMatching(/^acme\/same +document +unchanged +7$/),
      `promote it: ${command} acme`,
      `promote it: ${command} acme/app`,
      '',
    ]);
    expect((await world.pawl('apply', '-f', world.folder, '-o', 'json')).out).not.toContain('it:');
    for (const address of ['acme', 'acme/app', 'acme/same']) {
      const view = { address, state: 'idle', releaseVersion: 7, stableVersion: 1 };
      world.answers.set(`GET /v1/release/${address}`, json({ ...view, releaseVersion: 6 }));
      world.answers.set(`POST /v1/release/${address}`, json(view));
    }
    const promoted = await world.pawl('apply', '-f', world.folder, '--promote');
    expect(promoted.code).toBe(0);
    expect(promoted.out).not.toContain('promote it');
    expect(promoted.out).toMatch(/acme\/app +document +promoted +1\n/);
    world.answers.set('POST /v1/release/acme/app', releaseInStages());
    const inStages = await world.pawl('apply', '-f', world.folder, '--promote');
    expect(inStages.out).toMatch(/acme\/app +document +in stages +3\n/);
    world.answers.set('POST /v1/release/acme/app', refuse('frozen', 'not now'));
    const { err } = await world.pawl('apply', '-f', world.folder, '--promote');
    expect(err).toContain(`not now\nby itself: ${command} acme/app --freeze-exception 'why'\n`);
  });

  it.each([
    ['no YAML', 'yaml', 'a: [1', /zzz\.yaml/],
    ['a key twice in JSON', 'json', '{"a":1,"a":2}', /zzz\.json.*"a".*line 1/],
    ['a key twice in YAML', 'yaml', 'a: 1\na: 2', /zzz\.yaml: Map keys must be unique/],
    ['an integer that no double holds', 'yaml', 'b:\n  n: 9007199254740993', /\/b\/n/],
    ['half a character', 'json', '{"a":"\\ud800"}', /zzz\.json: .*\/a/],
    ['no object', 'yaml', '- 1', /zzz\.yaml: a document is a JSON object/],
    ['several documents', 'yaml', 'a: 1\n---\nb: 2', /zzz\.yaml: several YAML documents/],
    ['no UTF-8', 'yaml', Buffer.from([0x61, 0x3a, 0xff]), /zzz\.yaml is not UTF-8/],
  ])('writes nothing when one file holds %s', async (_what, ending, content, message) => {
    await world.file('acme/app.yaml', 'a: 1');
    await world.file(`acme/zzz.${ending}`, content);
    const { code, err } = await world.pawl('apply', '-f', world.folder);
    expect(code).toBe(2);
    expect(err).toMatch(message);
    expect(err).not.toContain('parseAllDocuments');
    expect(world.requests).toEqual([]);
  });

  it('names every file that is wrong at once, and takes any number in a schema', async () => {
    await world.file('acme/a.yaml', 'a: [1');
    await world.file('acme/b.json', '{');
    await world.file('acme/c.schema.json', '{"maximum":9007199254740993}');
    const { err } = await world.pawl('apply', '-f', world.folder);
    expect(err).toMatch(/a\.yaml: [^]*b\.json: /);
    expect(err).not.toContain('c.schema.json');
  });

  it('writes nothing when a file names no address', async () => {
    await world.file('acme/app.yaml', 'a: 1');
    const wrong = await world.file('acme/Upper.yaml', 'a: 1');
    expect((await world.pawl('apply', '-f', world.folder)).code).toBe(2);
    expect(world.requests).toEqual([]);
    await rm(wrong);
    world.answers.set('PUT /v1/config/acme/app', written(1));
    expect((await world.pawl('apply', '-f', world.folder)).code).toBe(0);
  });

  it('says what to do with a single file, and with no folder', async () => {
    const single = await world.pawl('apply', '-f', await world.file('acme.yaml', 'a: 1'));
    expect(single.code).toBe(2);
    expect(single.err).toMatch(/acme\.yaml is a file; apply takes a folder.* config put/);
    const none = await world.pawl('apply', '-f', join(world.folder, 'nowhere'));
    expect(none.err).toContain('cannot read');
  });
});
