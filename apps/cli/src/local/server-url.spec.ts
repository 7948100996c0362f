import { spawnSync } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { CliWorld, json, refuse, release, written } from '../testing/cli-world.js';

let world: CliWorld;

beforeEach(async () => {
  world = await CliWorld.start();
});

afterEach(() => world.stop());

const put = async (name: string, text: string): Promise<string[]> => [
  'config',
  'put',
  'acme/app',
  '-f',
  await world.file(name, text),
];

describe('where the control plane is', () => {
  const nobody = 'http://127.0.0.1:9';

  it('says what to do when nobody answers, and what names it when nothing did', async () => {
    const named = await world.run(['--url', nobody, 'status', 'acme/app'], { env: {} });
    expect(named.code).toBe(1);
    expect(named.err).toContain('is the control plane running?');
    expect(named.err).not.toContain('PAWL_URL');
    const endpoints = JSON.stringify({ http: nobody });
    await world.file('.pawl/endpoints.json', endpoints);
    const env = { npm_config_local_prefix: world.folder };
    const guessed = await world.run(['status', 'acme/app'], { env });
    expect(guessed.err).toContain(`no answer from ${nobody}`);
    const there = join(world.folder, '.pawl');
    const ended = await world.run(['status', 'acme/app'], { env: { PAWL_DATA_DIR: there } });
    expect(ended.err).toContain(`start it with npm start -- --data-dir ${there}\n`);
    expect(guessed.err).toMatch(/npm start.* PAWL_URL .* PAWL_DATA_DIR/);
  });

  it.each(['', '/not-there'])(
    'goes nowhere else when nothing runs in the data folder that is named: %s',
    async (below) => {
      const folder = `${world.folder}${below}`;
      const { code, err } = await world.run(['promote', 'acme/app'], {
        env: { PAWL_DATA_DIR: folder },
      });
      expect(code).toBe(1);
      expect(err).toBe(
        `pawl: no Pawl runs on ${folder}, which PAWL_DATA_DIR names: start it with npm start -- --data-dir ${folder}, name the data folder of one that runs, or its address with PAWL_URL\n`,
      );
    },
  );

  it('goes to a node of the data folder that lives when the first does not', async () => {
    await world.file('endpoints.json', JSON.stringify({ http: nobody }));
    const second = JSON.stringify({ http: world.env['PAWL_URL'] });
    await world.file('nodes/node-2/endpoints.json', second);
    world.answers.set('GET /healthz', (_request, response) => response.end('{}'));
    world.answers.set('PUT /v1/config/acme/app', written(2));
    const env = { PAWL_DATA_DIR: world.folder };
    expect(await world.run(await put('a.json', '{}'), { env })).toMatchObject({ code: 0, err: '' });
  });

  describe('that a node of the data folder wrote down', () => {
    const endpoints = (http: string | undefined): string =>
      JSON.stringify({ http, installation: 'main/one' });
    const serves = (installation: unknown): void =>
      void world.answers.set('GET /healthz', json({ installation }));
    const asked = (): string[] => world.requests.map(({ line }) => line);
    const named = () => ({ env: { PAWL_DATA_DIR: world.folder } });
    const promote = ['promote', 'acme/app'];

    it('is asked for its installation before anything is sent', async () => {
      await world.file('endpoints.json', endpoints(world.env['PAWL_URL']));
      serves('main/one');
      expect((await world.run(promote, named())).err).toContain('nothing there');
      expect(asked()[0]).toBe('GET /healthz');
      expect(asked().length).toBeGreaterThan(1);
    });

    it.each([
      ['main/two', 'serves main/two'],
      [undefined, 'is no control plane'],
    ])('is sent nothing where another listens by now: %s', async (other, text) => {
      await world.file('endpoints.json', endpoints(world.env['PAWL_URL']));
      serves(other);
      const { code, out, err } = await world.run(promote, named());
      expect([code, out]).toEqual([1, '']);
      expect(err).toMatch(
        new RegExp(
          `^pawl: nothing was sent: what listens at \\S+ ${text}, .* ${world.folder} .* serves main/one and has ended; start it with npm start -- --data-dir ${world.folder}, or .* PAWL_URL\n$`,
        ),
      );
      expect(new Set(asked())).toEqual(new Set(['GET /healthz']));
      world.requests.length = 0;
      await world.run(promote, { env: { ...world.env, ...named().env } });
      expect(asked()).not.toContain('GET /healthz');
    });

    it('is sent what was asked for while the metadata store answers nobody', async () => {
      await world.file('endpoints.json', endpoints(world.env['PAWL_URL']));
      serves('main/one');
      world.answers.set('GET /v1/cluster', () => undefined);
      world.answers.set('POST /v1/release/acme/app', release(3));
      const { code, out } = await world.run(['rollback', 'acme/app', '--to', '3'], named());
      expect([code, out]).toEqual([0, expect.stringContaining('version 3')]);
    });

    it('is not waited for longer than the command may take, nor after Ctrl-C', async () => {
      await world.file('endpoints.json', endpoints(world.env['PAWL_URL']));
      const interrupt = new AbortController();
      world.answers.set('GET /healthz', () => interrupt.abort());
      const { code, err } = await world.run(promote, { ...named(), signal: interrupt.signal });
      expect([code, err]).toEqual([1, 'pawl: interrupted before the control plane answered\n']);
      world.answers.set('GET /healthz', () => undefined);
      const wait = ['wait', 'acme/app', '--timeout', '100ms'];
      const late = await world.run(wait, named());
      expect([late.code, late.err]).toEqual([
        3,
        'pawl: not in time: the control plane did not answer\n',
      ]);
      expect(new Set(asked())).toEqual(new Set(['GET /healthz']));
    });

    it('is left alone for another node of the folder that is still there', async () => {
      await world.file('endpoints.json', endpoints(nobody));
      await world.file('nodes/node-2/endpoints.json', endpoints(world.env['PAWL_URL']));
      serves('main/one');
      expect((await world.run(promote, named())).err).toContain('nothing there');
      expect(asked().length).toBeGreaterThan(1);
    });

    it('is not asked for more where it cannot tell', async () => {
      await world.file('endpoints.json', endpoints(world.env['PAWL_URL']));
      world.answers.set('GET /healthz', refuse('truth-unavailable', 'etcd is away'));
      const { code, err } = await world.run(promote, named());
      expect([code, err]).toEqual([1, expect.stringContaining('etcd is away')]);
      expect(new Set(asked())).toEqual(new Set(['GET /healthz']));
    });

    it('says that the node does not run where nobody answers', async () => {
      await world.file('.pawl/endpoints.json', endpoints(nobody));
      const env = { npm_config_local_prefix: world.folder };
      const { code, err } = await world.run(promote, { env });
      expect([code, err]).toEqual([
        1,
        `pawl: no node of ${join(world.folder, '.pawl')} runs: no control plane answers at ${nobody}; start it with npm start, or name one that runs with PAWL_URL\n`,
      ]);
    });
  });

  describe('of a data folder whose own has ended in order', () => {
    const promote = ['promote', 'acme/app'];
    const run = (args = promote) =>
      world.run(args, { env: { npm_config_local_prefix: world.folder } });

    beforeEach(async () => {
      await world.file('.pawl/installation.json', JSON.stringify({ installation: 'main/one' }));
      const url = world.env['PAWL_URL'] ?? '';
      const real = fetch;
      const atDefault = (to: unknown): string => String(to).replace('http://127.0.0.1:7400', url);
      vi.stubGlobal('fetch', (to: unknown, init: RequestInit) => real(atDefault(to), init));
    });
    afterEach(() => vi.unstubAllGlobals());

    it.each([
      ['main/two', 'serves main/two'],
      [undefined, 'is no control plane'],
    ])('sends nothing to what else listens at the default address: %s', async (other, text) => {
      world.answers.set('GET /healthz', json({ status: 'alive', installation: other }));
      const { code, out, err } = await run();
      expect([code, out]).toEqual([1, '']);
      expect(err).toBe(
        `pawl: nothing was sent: no Pawl runs on ${join(world.folder, '.pawl')}, which belongs to main/one, and what listens at http://127.0.0.1:7400 ${text}; start your own with npm start, or, if you mean that one, say PAWL_URL=http://127.0.0.1:7400\n`,
      );
      expect(world.requests.map(({ line }) => line)).toEqual(['GET /healthz']);
    });

    it('goes to the default address where its installation is served there', async () => {
      world.answers.set('GET /healthz', json({ status: 'alive', installation: 'main/one' }));
      expect((await run()).err).toContain('nothing there');
      expect(world.requests.length).toBeGreaterThan(1);
    });

    it('says that it does not run where nobody answers', async () => {
      world.answers.set('GET /healthz', (request) => request.socket.destroy());
      const { code, err } = await run();
      expect([code, err]).toEqual([
        1,
        `pawl: no Pawl runs on ${join(world.folder, '.pawl')}, which belongs to main/one, and no control plane answers at http://127.0.0.1:7400; start it with npm start, or name one that runs with PAWL_URL\n`,
      ]);
    });

    it('asks nobody where no installation is known', async () => {
      await rm(join(world.folder, '.pawl'), { recursive: true });
      await run();
      expect(world.requests[0]?.line).toBe('GET /v1/release/acme/app');
    });

    it.each([
      ['a first start that was killed', { processes: { controlPlane: 2 ** 30 } }],
      ['a quorum member', { processes: { quorum: process.pid } }],
    ])('sends nothing to the default address where there was only %s', async (_, about) => {
      const word = { etcd: 'http://127.0.0.1:9', ...about };
      await world.file('.pawl/endpoints.json', JSON.stringify(word));
      await rm(join(world.folder, '.pawl/installation.json'));
      const { code, err } = await run();
      expect([code, err]).toEqual([
        1,
        `pawl: nothing was sent: no control plane runs on ${join(world.folder, '.pawl')}; start it with npm start, or name one that runs with PAWL_URL\n`,
      ]);
      expect(world.requests).toEqual([]);
    });

    it('asks no quorum at the default address', async () => {
      const { code, err } = await run(['cluster', 'remove', 'node-2']);
      expect([code, err]).toEqual([
        1,
        `pawl: nothing was asked: no member of a quorum runs on ${join(world.folder, '.pawl')}, which belongs to main/one; start it with npm start, or name a member with --endpoint HOST:PORT\n`,
      ]);
    });
  });

  describe('that is starting', () => {
    const gone = spawnSync(process.execPath, ['-e', '']).pid;
    const launcher = (pid: number) => ({ phase: 'starting', launcher: { pid } });
    const node = (pid: number) => ({
      etcd: 'http://127.0.0.1:9',
      processes: { controlPlane: pid },
    });

    it.each([
      ['npm start', 'launcher.json', launcher],
      ['a node', 'endpoints.json', node],
    ])('is said to be, not to be away: %s', async (_who, file, record) => {
      const env = { npm_config_local_prefix: world.folder };
      const named = { PAWL_DATA_DIR: join(world.folder, '.pawl') };
      const text = `pawl: Pawl is starting on ${join(world.folder, '.pawl')} (process ${process.pid}) and serves nothing yet: wait until it says where it serves, then try again`;
      const members = (where: string) =>
        `; meanwhile \`${where}pawl cluster members\` tells of its quorum`;
      await world.file(`.pawl/${file}`, JSON.stringify(record(process.pid)));
      const hasMember = record === node;
      for (const [where, words] of [
        [env, ''],
        [named, `PAWL_DATA_DIR=${named.PAWL_DATA_DIR} `],
      ] as const) {
        const { code, err } = await world.run(['status', 'acme/app'], { env: where });
        expect([code, err]).toEqual([1, `${text}${hasMember ? members(words) : ''}\n`]);
      }
      if (!hasMember) {
        const { code, err } = await world.run(['cluster', 'members'], { env });
        expect([code, err], 'nor of the quorum at the default address').toEqual([1, `${text}\n`]);
      }
      await world.file(`.pawl/${file}`, JSON.stringify(record(gone)));
      const { err } = await world.run(['status', 'acme/app'], { env: named });
      expect(err).toContain('no Pawl runs on');
    });

    it('is said to be where a node that was killed before is no more', async () => {
      const written = { http: nobody, installation: 'main/one', processes: { controlPlane: gone } };
      await world.file('endpoints.json', JSON.stringify(written));
      await world.file('launcher.json', JSON.stringify(launcher(process.pid)));
      const { err } = await world.run(['status', 'acme/app'], {
        env: { PAWL_DATA_DIR: world.folder },
      });
      expect(err).toContain('Pawl is starting on');
    });
  });

  it.each(['127.0.0.1:7400', 'localhost:7400'])('says that %s lacks http://', async (url) => {
    const flag = await world.pawl('--url', url, 'status', 'acme/app');
    expect(flag.code).toBe(2);
    expect(flag.err).toContain(`http:// is missing: --url http://${url}`);
    const { err } = await world.run(['status', 'acme/app'], { env: { PAWL_URL: url } });
    expect(err).toContain(`http:// is missing: PAWL_URL=http://${url}`);
  });

  it.each([
    'http://ada:hunter2@127.0.0.1:9',
    'http://hunter2@127.0.0.1:9',
    'ftp://ada:hun/ter2@127.0.0.1',
    'ada:hunter2@127.0.0.1:9',
    'http://ada:hun/ter2@127.0.0.1:9?token=hunter2',
  ])('never repeats a password: %s', async (url) => {
    for (const { code, err } of [
      await world.pawl('--url', url, 'status', 'acme/app'),
      await world.run(['status', 'acme/app'], { env: { PAWL_URL: url } }),
    ]) {
      expect(code).toBe(2);
      expect(err).toContain('127.0.0.1');
      expect(err).not.toMatch(/hun|ter2|ada/);
    }
  });
});
