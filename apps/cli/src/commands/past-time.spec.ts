import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CliWorld, json } from '../testing/cli-world.js';

let world: CliWorld;
beforeEach(async () => {
  world = await CliWorld.start();
});
afterEach(() => world.stop());

const COMMANDS = [
  [
    ['releases', '--state', 'ended', '--since'],
    'GET /v1/releases?state=ended&since=',
    '&limit=100',
  ],
  [['changes', '--since'], 'GET /v1/changes?since=', '&limit=100'],
  [['consumers', 'acme/app', '--at'], 'GET /v1/consumers/acme/app?at=', '&limit=100'],
] as const;

describe.each(COMMANDS)('%j', (words, path, rest) => {
  it.each(['yesterday', '1w', '-1h', '2026-12-01', '2026-12-01T03:00', '2026-13-01T03:00Z', ''])(
    'does not take %j, and says what it takes',
    async (text) => {
      const { code, err } = await world.pawl(...words, text);
      expect([code, world.requests]).toEqual([2, []]);
      const option = words.at(-1) ?? '';
      const said =
        `option '${option} <time>' argument '${text}' is invalid. ` +
        'Say how long ago (30s, 15m, 1h, 2d), or a time with its zone (2026-12-01T03:00Z).';
      expect(err).toContain(`error: ${said}\n`);
      const asJson = await world.pawl(...words, text, '-o', 'json');
      expect(JSON.parse(asJson.err)).toEqual({
        error: { message: expect.stringContaining(said) as string, exitCode: 2 },
      });
    },
  );

  it.each([
    ['90m', '90m'],
    ['7d', '7d'],
    ['2026-12-01T03:00Z', '2026-12-01T03%3A00%3A00.000Z'],
    ['2026-12-01 03:00:05.25+01:00', '2026-12-01T02%3A00%3A05.250Z'],
  ])('takes %s', async (text, sent) => {
    const answer = { items: [], at: '', published: null, knownSince: '' };
    world.answers.set(`${path}${sent}${rest}`, json(answer));
    expect(await world.pawl(...words, text)).toMatchObject({ code: 0, err: '' });
  });
});
