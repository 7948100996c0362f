import { userInfo } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CliWorld, json, refuse, rollout, written } from './testing/cli-world.js';

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

describe('pawl', () => {
  it('ends with 2 on bad usage and 0 on help', async () => {
    expect((await world.pawl('frobnicate')).code).toBe(2);
    expect((await world.pawl('block', 'acme/app')).code).toBe(2);
    expect((await world.pawl('wait', 'acme/app', '--timeout', 'soon')).code).toBe(2);
    expect(await world.pawl('--help')).toMatchObject({ code: 0, err: '' });
  });

  it('prints its version, and leaves --version to the commands that take a number', async () => {
    expect(await world.pawl('--version')).toEqual({ code: 0, out: '0.1.0\n', err: '' });
    await world.pawl('config', 'get', 'acme/app', '--version', '3');
    expect(world.requests.map(({ line }) => line)).toEqual(['GET /v1/config/acme/app?version=3']);
  });

  it('shows defaults as they are typed, and which options must be given', async () => {
    const wait = (await world.pawl('wait', '--help')).out;
    expect(wait).toMatch(/--applied .*\(default: 100%\)/);
    expect(wait).toMatch(/--timeout .*\(default: 60s\)/);
    expect((await world.pawl('block', '--help')).out).toMatch(/--to .*\(required\)/);
    expect((await world.pawl('promote', '--help')).out).not.toMatch(/--to .*\(required\)/);
  });

  it('knows where a command is that stands in a group', async () => {
    const { code, err } = await world.pawl('history', 'acme/app');
    expect(code).toBe(2);
    expect(err).toMatch(/it is: PAWL_URL=\S+ pawl config history/);
    expect((await world.pawl('frobnicate')).err).not.toContain('it is:');
  });

  it('prints hints as they can be pasted, below npx too', async () => {
    world.answers.set('PUT /v1/config/acme/app', written(2));
    const args = await put('a.json', '{}');
    const url = world.env['PAWL_URL'] ?? '';
    expect((await world.run(args)).out).toContain(`: PAWL_URL=${url} pawl promote acme/app\n`);
    const byFlag = await world.run(['--url', url, ...args], { env: { PAWL_URL: 'http://other' } });
    expect(byFlag.out).toContain(`: pawl --url ${url} promote acme/app\n`);
    await world.file("it's/endpoints.json", JSON.stringify({ http: url }));
    const PAWL_DATA_DIR = join(world.folder, "it's");
    expect((await world.run(args, { env: { PAWL_DATA_DIR } })).out).toContain(
      `: PAWL_DATA_DIR='${PAWL_DATA_DIR.replace("'", "'\\''")}' pawl promote acme/app\n`,
    );
    await world.file('.pawl/endpoints.json', JSON.stringify({ http: url }));
    const env = { npm_config_local_prefix: world.folder, npm_command: 'exec' };
    expect((await world.run(args, { env })).out).toContain(
      ': npx --no-install pawl promote acme/app\n',
    );
  });

  it('does not let a URL turn one address into another', async () => {
    const { code, err } = await world.pawl('config', 'get', 'acme/../other');
    expect(code).toBe(2);
    expect(err).toContain('Not an address');
    expect(world.requests).toEqual([]);
  });

  it('sends JSON as it stands and YAML as JSON, and rounds no number', async () => {
    world.answers.set('PUT /v1/config/acme/app', written(2));
    const exact = '{ "n": 1.50 }';
    await world.pawl(...(await put('a.json', exact)), '--expect', '1');
    await world.pawl(...(await put('b.yaml', 'n: 12345678901234567000\nd: 1.5\n')));
    await world.pawl('config', 'put', 'acme/app', '-f', '-');
    expect(world.requests.map(({ body }) => body)).toEqual([
      exact,
      '{"n":12345678901234567000,"d":1.5}',
      '{"a":1}',
    ]);
    expect(world.requests[0]?.headers).toMatchObject({ 'if-match': '"1"', 'x-pawl-actor': 'ada' });
    for (const [name, text] of [
      ['a.json', '{ "n": 12345678901234567890 }'],
      ['b.yaml', 'n: 12345678901234567890\n'],
    ] as const) {
      const { code, err } = await world.pawl(...(await put(name, text)));
      expect([code, err]).toEqual([2, expect.stringContaining('exactly 12345678901234567890')]);
    }
    expect(world.requests).toHaveLength(3);
  });

  it('names the account that runs it when $USER does not', async () => {
    await world.run(['config', 'get', 'acme/app'], { env: { ...world.env, USER: undefined } });
    expect(world.requests[0]?.headers['x-pawl-actor']).toBe(userInfo().username);
  });

  it('refuses YAML with duplicate keys or too many aliases before it sends anything', async () => {
    for (const text of ['a: 1\na: 2\n', '1: a\n"1": b\n', 'a: 1\n---\nb: 2\n']) {
      expect((await world.pawl(...(await put('a.yaml', text)))).code).toBe(2);
    }
    const levels = Array.from(
      { length: 12 },
      (_, n) => `l${n + 1}: &l${n + 1} [${`*l${n}, `.repeat(10)}]`,
    );
    const bomb = await put('b.yaml', ['l0: &l0 x', ...levels].join('\n'));
    expect((await world.pawl(...bomb)).code).toBe(2);
    expect(world.requests).toEqual([]);
  });

  it.each([
    ['a.json', '{"a":', 'expected a value, found the end of the text (line 1, column 6)'],
    ['a.json', '[1]', 'a document is a JSON object, this is an array'],
    ['a.yaml', '- 1', 'a document is a JSON object, this is an array'],
    ['a.yaml', 'a: [1', 'Flow sequence in block collection must be'],
    ['a.json', '{"a":1,"a":2}', 'the key "a" occurs twice (line 1, column 8)'],
  ])(
    'ends with 2 for what no control plane takes, and says it once: %s %s',
    async (name, text, why) => {
      const { code, err } = await world.pawl(...(await put(name, text)));
      expect(code).toBe(2);
      expect(err).toMatch(new RegExp(`^pawl: ${world.folder}/${name}: .*\\S\n$`, 's'));
      expect(err.split(why)).toHaveLength(2);
      expect(world.requests).toEqual([]);
    },
  );

  it('says once why a file cannot be read', async () => {
    const missing = `${world.folder}/missing.json`;
    expect(await world.pawl('config', 'put', 'acme/app', '-f', missing)).toEqual({
      code: 2,
      out: '',
      err: `pawl: cannot read ${missing}: there is no such file\n`,
    });
    const { err } = await world.pawl('config', 'put', 'acme/app', '-f', world.folder);
    expect(err).toBe(`pawl: cannot read ${world.folder}: it is a folder\n`);
  });

  it('points to the help of the command that is wrong', async () => {
    const hint = async (...args: string[]): Promise<string | undefined> =>
      (await world.pawl(...args)).err.trimEnd().split('\n').at(-1);
    expect(await hint('config', 'put', 'acme/app')).toBe('(pawl config put --help says how)');
    expect(await hint('block', 'acme/app')).toBe('(pawl block --help says how)');
    expect(await hint('config', 'frobnicate')).toBe('(pawl config --help lists the commands)');
    expect(await hint('frobnicate')).toBe('(pawl --help lists the commands)');
  });

  it('prints errors for machines too, as the last line of standard error', async () => {
    const error = async (...args: string[]): Promise<unknown> => {
      const { code, out, err } = await world.pawl(...args, '-o', 'json');
      const lines = err.trimEnd().split('\n');
      const said = JSON.parse(lines.at(-1) ?? '') as { error: { exitCode: number } };
      expect([code, out]).toEqual([said.error.exitCode, '']);
      return said.error;
    };
    const status = ['status', 'acme/app'];
    expect(await error(...status)).toMatchObject({
      message: 'Not found: nothing there',
      exitCode: 1,
      problem: { code: 'not-found', status: 404, detail: 'nothing there' },
    });
    expect(await error('config', 'put', 'acme/app', '-f', '/nowhere')).toEqual({
      message: 'cannot read /nowhere: there is no such file',
      exitCode: 2,
    });
    expect(await error('config', 'put', 'acme/app')).toEqual({
      message:
        "required option '-f, --file <file>' not specified (pawl config put --help says how)",
      exitCode: 2,
    });
    expect(await error('promote')).toEqual({
      message: "missing required argument 'address' (pawl promote --help says how)",
      exitCode: 2,
    });
    expect(await error('history', 'acme/app')).toEqual({
      message: expect.stringMatching(/^unknown .* it is: .* config history .*$/) as string,
      exitCode: 2,
    });
    const { err } = await world.pawl(...status, '-o', 'yaml');
    expect(err).toMatch(/^error:\n  message: "?Not found: nothing there"?\n  exitCode: 1\n/);
  });

  it('prints JSON for machines wherever -o stands', async () => {
    world.answers.set('GET /v1/rollout/acme/app', json(rollout(3, 4)));
    for (const args of [
      ['-o', 'json', 'status', 'acme/app'],
      ['status', 'acme/app', '-o', 'json'],
    ]) {
      expect(JSON.parse((await world.pawl(...args)).out)).toEqual(rollout(3, 4));
    }
    expect((await world.pawl('status', 'acme/app')).out).toContain('4 live, 4 applied');
  });
});

describe('a refusal', () => {
  const refused = async (answer: ReturnType<typeof refuse>): Promise<string> => {
    world.answers.set('PUT /v1/config/acme/app', answer);
    const { code, err } = await world.pawl('config', 'put', 'acme/app', '-f', '-');
    expect(code).toBe(1);
    return err;
  };

  it('says what is wrong where', async () => {
    const errors = [{ address: 'acme/app', pointer: '/max', message: 'must be integer' }];
    expect(await refused(refuse('schema-violation', 'it breaks', { errors }))).toMatch(
      /: it breaks\n  acme\/app \/max: must be integer\n$/,
    );
    const once = await refused(refuse('schema-violation', 'must be integer', { errors }));
    expect(once).toMatch(/^pawl: [^:]+: acme\/app \/max: must be integer\n$/);
  });

  it('says where to look for an address that is not found, to people', async () => {
    const { err } = await world.pawl('status', 'acme/app');
    expect(err).toBe(
      `pawl: Not found: nothing there\nwhat is known: PAWL_URL=${world.env['PAWL_URL']} pawl scopes\n`,
    );
    expect((await world.pawl('status', 'acme/app', '-o', 'json')).err).not.toContain('scopes');
    expect(await refused(refuse('version-unknown', 'no version 9'))).not.toContain('scopes');
  });

  it('speaks of options where the server speaks of headers', async () => {
    const header = 'send If-Match: "6"';
    expect(await refused(refuse('precondition-required', header, { currentVersion: 3 }))).toContain(
      '--expect 3',
    );
    const mismatch = await refused(refuse('version-mismatch', header, { currentVersion: 6 }));
    expect(mismatch).toContain('--expect 6');
    expect(mismatch).not.toContain('If-Match');
    expect(await refused(refuse('version-mismatch', header))).toContain('--expect none');
    const release = refuse('version-mismatch', 'release 8', { currentReleaseVersion: 8 });
    expect(await refused(release)).toContain('release 8');
  });
});
