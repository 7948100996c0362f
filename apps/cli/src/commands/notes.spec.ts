import { readdir } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RolloutView } from '@pawl/contracts';
import {
  breaking,
  CliWorld,
  definition,
  json,
  refuse,
  release,
  releaseInStages,
  rollout,
  stream,
} from '../testing/cli-world.js';

let world: CliWorld;

beforeEach(async () => {
  world = await CliWorld.start();
});

afterEach(() => world.stop());

describe('what is newest is not what runs', () => {
  const onTerminal = (...args: string[]) => world.run(args, { isTty: true });

  beforeEach(() => {
    world.answers.set('GET /v1/config/acme/app', definition(3));
    world.answers.set('GET /v1/config/acme/app?version=3', definition(3));
  });

  it.each([
    ['another version runs', release(2), /version 3, the newest; version 2 runs/],
    ['nothing was released', release(null), /version 3; nothing is released here yet/],
    ['the layer is disabled', release(3, { state: 'disabled' }), /the layer is disabled/],
    ['it runs', release(3), /^$/],
    ['it is being released', releaseInStages(), /this is version 3, which is being released in/],
    [
      'an earlier one is being released',
      release(1, { state: 'rolling', candidate: 2 }),
      /this is version 3, the newest; version 2 is being released in stages/,
    ],
  ])('config get on a terminal: %s', async (_what, answer, note) => {
    world.answers.set('GET /v1/release/acme/app', answer);
    const { out, err } = await onTerminal('config', 'get', 'acme/app');
    expect(err).toMatch(note);
    expect(out).toMatch(/^# acme\/app version 3 by ada, .*\na: 1\n$/);
  });

  it('says nothing to machines, to pipes, and of a version that was asked for', async () => {
    world.answers.set('GET /v1/release/acme/app', release(2));
    for (const { err } of [
      await onTerminal('config', 'get', 'acme/app', '-o', 'json'),
      await onTerminal('config', 'get', 'acme/app', '--version', '3'),
      await world.pawl('config', 'get', 'acme/app'),
    ]) {
      expect(err).toBe('');
    }
  });

  it('config edit says it before the editor opens', async () => {
    world.answers.set('GET /v1/release/acme/app', release(2));
    const env = { ...world.env, EDITOR: 'true' };
    const { out, err } = await world.run(['config', 'edit', 'acme/app'], { env });
    expect({ out, err }).toEqual({
      out: 'nothing changed\n',
      err: 'note: this is version 3, the newest; version 2 runs\n',
    });
  });
});

describe('an editor that cannot be run', () => {
  const former = process.env['TMPDIR'];

  afterEach(() => {
    if (former === undefined) delete process.env['TMPDIR'];
    else process.env['TMPDIR'] = former;
  });

  it.each([
    ['/nowhere/editor', /cannot run the editor "\/nowhere\/editor"/],
    ['false', /the editor ended with 1; nothing was written/],
  ])('leaves no folder: %s', async (EDITOR, message) => {
    process.env['TMPDIR'] = world.folder;
    world.answers.set('GET /v1/config/acme/app', definition(3));
    const env = { ...world.env, EDITOR };
    const { code, err } = await world.run(['config', 'edit', 'acme/app'], { env });
    expect(code).toBe(1);
    expect(err).toMatch(message);
    expect(await readdir(world.folder)).toEqual([]);
  });

  it.each([
    ['neither', {}],
    ['only what is read', { isInputTty: true }],
    ['only what is written', { isTty: true }],
  ])('is not looked for without a terminal: %s', async (_what, terminal) => {
    const env = { ...world.env, EDITOR: '' };
    expect(await world.run(['config', 'edit', 'acme/app'], { env, ...terminal })).toEqual({
      code: 1,
      out: '',
      err: `pawl: nobody can edit here: this is no terminal, and neither EDITOR nor VISUAL is set; write a file instead: PAWL_URL=${world.env['PAWL_URL']} pawl config put acme/app -f FILE\n`,
    });
    expect(world.requests).toEqual([]);
  });

  it('keeps what was edited before it ended badly', async () => {
    process.env['TMPDIR'] = world.folder;
    world.answers.set('GET /v1/config/acme/app', definition(3));
    const editor = await world.file('editor.sh', 'echo "b: 2" >> "$1"; exit 3');
    const env = { ...world.env, EDITOR: `sh ${editor}` };
    const { code, err } = await world.run(['config', 'edit', 'acme/app'], { env });
    expect(code).toBe(1);
    expect(err).toMatch(/ended with 3.*\nyour edit is kept in (\S+); .* -f \1 --expect 3/);
    expect(world.writes()).toEqual([]);
  });
});

describe('pawl status of an address without a definition', () => {
  const input = (address: string, definitionVersion: number | null) => ({
    address,
    definitionVersion,
  });

  beforeEach(() => {
    world.answers.set('GET /v1/rollout/acme/app', json(rollout(3, 4)));
  });

  it('says what it reads instead', async () => {
    const inputs = [input('acme', 4), input('acme/prod', 2), input('acme/prod/eu', null)];
    world.answers.set('GET /v1/effective/acme/app', json({ snapshotVersion: 3, inputs }));
    const { out, err } = await world.pawl('status', 'acme/app');
    expect(err).toBe('note: nothing is defined at acme/app; it reads what acme/prod gives\n');
    expect(out).toContain('snapshot 3');
    expect((await world.pawl('status', 'acme/app', '-o', 'json')).err).toBe('');
    world.answers.set('GET /v1/effective/acme/app', json({ snapshotVersion: 3, inputs: [] }));
    expect((await world.pawl('status', 'acme/app')).err).toContain('nor above it');
  });

  it('says nothing where there is one', async () => {
    world.answers.set('GET /v1/config/acme/app', definition(1));
    world.answers.set('GET /v1/release/acme/app', release(1));
    expect((await world.pawl('status', 'acme/app')).err).toBe('');
  });

  it('says that the layer is disabled', async () => {
    world.answers.set('GET /v1/config/acme/app', definition(1));
    world.answers.set('GET /v1/release/acme/app', release(1, { state: 'disabled' }));
    const url = world.env['PAWL_URL'];
    expect((await world.pawl('status', 'acme/app')).err).toBe(
      `note: acme/app is disabled, its layer is left out; put it back: PAWL_URL=${url} pawl enable acme/app\n`,
    );
    expect((await world.pawl('status', 'acme/app', '-o', 'json')).err).toBe('');
    const frozen = { scope: 'acme', reason: 'incident 12' };
    world.answers.set('GET /v1/release/acme/app', release(1, { state: 'disabled', frozen }));
    expect((await world.pawl('status', 'acme/app')).err).toContain(
      `put it back: PAWL_URL=${url} pawl enable acme/app --freeze-exception 'why'\n`,
    );
  });

  it('tells the rollout, without a note, while what the note is made of is down', async () => {
    world.answers.set('GET /v1/release/acme/app', refuse('truth-unavailable', 'no PostgreSQL'));
    const { code, out, err } = await world.pawl('status', 'acme/app');
    expect([code, err]).toEqual([0, '']);
    expect(out).toContain('snapshot 3');
  });
});

describe('pawl status of an address whose newest version does not run', () => {
  const status = (...flags: string[]) => world.pawl('status', 'acme/app', ...flags);
  const look = () =>
    `what became of it: PAWL_URL=${world.env['PAWL_URL']} pawl config history acme/app`;

  beforeEach(() => {
    world.answers.set('GET /v1/rollout/acme/app', json(rollout(3, 4)));
    world.answers.set('GET /v1/config/acme/app', definition(6));
  });

  it('says how to release the first one', async () => {
    const command = `PAWL_URL=${world.env['PAWL_URL']} pawl promote acme/app`;
    const err = `note: nothing is released here; version 6 waits: ${command}\n`;
    world.answers.set('GET /v1/release/acme/app', release(null));
    expect((await status()).err).toBe(err);
    world.answers.set('GET /v1/release/acme/app', refuse('not-found', 'never released'));
    expect((await status()).err).toBe(err);
  });

  it('says which version runs', async () => {
    world.answers.set('GET /v1/release/acme/app', release(4));
    const { code, out, err } = await status();
    expect([code, err]).toEqual([
      0,
      `note: version 6 is newer than version 4, which runs; ${look()}\n`,
    ]);
    expect(out).toMatch(/^converged$/m);
    expect((await status('-o', 'json')).err).toBe('');
  });

  it('says which version is on its way', async () => {
    world.answers.set('GET /v1/release/acme/app', releaseInStages());
    expect((await status()).err).toBe(
      `note: version 6 is newer than version 3, which is being released in stages; ${look()}\n`,
    );
  });

  it('says nothing where it runs, or is on its way', async () => {
    world.answers.set('GET /v1/release/acme/app', release(6));
    expect((await status()).err).toBe('');
    world.answers.set('GET /v1/config/acme/app', definition(3));
    world.answers.set('GET /v1/release/acme/app', releaseInStages());
    expect((await status()).err).toBe('');
  });
});

describe('pawl status --watch', () => {
  it('outlives a restart of the control plane, and says once that it went away', async () => {
    const interrupt = new AbortController();
    const turns = [breaking(rollout(3, 1)), refuse('no-owner', 'no shards yet')];
    world.answers.set('GET /v1/rollout/acme/app', (...exchange) =>
      (turns.shift() ?? stream(rollout(4, 4)))(...exchange),
    );
    const { code, out, err } = await world.run(['status', 'acme/app', '--watch', '-o', 'json'], {
      signal: interrupt.signal,
      onOut: (shown) => {
        if (shown.includes('"version":4')) interrupt.abort();
      },
    });
    expect(code).toBe(0);
    const views = out
      .trimEnd()
      .split('\n')
      .map((line) => (JSON.parse(line) as RolloutView).published);
    expect(views.map((published) => published?.version)).toEqual([3, 4]);
    expect(err.match(/went away/g)).toHaveLength(1);
  });
});
