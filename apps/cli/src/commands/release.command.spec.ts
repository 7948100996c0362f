import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CliWorld, refuse, release } from '../testing/cli-world.js';

let world: CliWorld;

beforeEach(async () => {
  world = await CliWorld.start();
  world.answers.set('GET /v1/release/acme/app', release(1, { releaseVersion: 6 }));
  world.answers.set('POST /v1/release/acme/app', release(2));
});

afterEach(() => world.stop());

const hint = () =>
  `watch it arrive: PAWL_URL=${world.env['PAWL_URL']} pawl status acme/app --watch\n`;

describe('pawl promote, block, …', () => {
  it('shows where consumers can be watched, after what they may notice', async () => {
    expect(await world.pawl('promote', 'acme/app')).toMatchObject({
      code: 0,
      out: `acme/app is idle at version 2 (release 7)\n${hint()}`,
    });
    expect((await world.pawl('rollback', 'acme/app', '--to', '1')).out).toContain(hint());
    world.answers.set('POST /v1/release/acme/app', release(2, { blockedVersions: [3, 5] }));
    expect((await world.pawl('block', 'acme/app', '--to', '3')).out).toBe(
      'acme/app is idle at version 2 (release 7, blocked: 3, 5)\n',
    );
    expect((await world.pawl('unblock', 'acme/app', '--to', '4')).out).not.toContain('watch');
  });

  it('says that nothing changed', async () => {
    world.answers.set('GET /v1/release/acme/app', release(2));
    expect((await world.pawl('promote', 'acme/app')).out).toBe(
      'nothing changed: acme/app is idle at version 2 (release 7)\n',
    );
  });

  it('lets the transition say why it is refused', async () => {
    world.answers.delete('GET /v1/release/acme/app');
    world.answers.set('POST /v1/release/acme/app', refuse('use-rollback', 'that goes back'));
    const { code, err } = await world.pawl('promote', 'acme/app', '--to', '1');
    expect(code).toBe(1);
    expect(err).toContain('that goes back');
  });
});
