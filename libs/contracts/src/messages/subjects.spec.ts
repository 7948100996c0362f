import { describe, expect, it } from 'vitest';
import { address } from '../address.js';
import { subjectsOf } from './subjects.js';

describe('subjectsOf', () => {
  const subjects = subjectsOf('main');

  it('spells streams and subjects as the protocol has them', () => {
    expect(subjects.snapshotStream).toBe('PAWL_MAIN_SNAPSHOTS');
    expect(subjects.contentStream).toBe('PAWL_MAIN_CONTENT');
    expect(subjects.snapshot(address('acme/prod:limits'))).toBe(
      'pawl.main.snapshot.acme.prod.limits',
    );
    expect(subjects.push(address('acme'))).toBe('pawl.main.push.acme.config');
    expect(subjects.prepare(address('acme/prod'))).toBe('pawl.main.prepare.acme.prod.config');
    expect(subjects.content('acme', 'ab12')).toBe('pawl.main.content.acme.ab12');
    expect(subjects.ack('acme', 'checkout', 'c-1')).toBe('pawl.main.ack.acme.checkout.c-1');
    expect(subjects.vote('acme', 'checkout', 'c-1')).toBe('pawl.main.vote.acme.checkout.c-1');
    expect(subjects.hello('acme', 'checkout', 'c-1')).toBe('pawl.main.hello.acme.checkout.c-1');
    expect(subjects.command(3, 2n ** 48n)).toBe('pawl.main.command.3.281474976710656');
  });

  it('never gives two addresses one subject', () => {
    const texts = ['a', 'a/b', 'a:b', 'a/b:c', 'a/b/c', 'a/config', 'a/config:config', 'a:a'];
    const distinct = new Set(texts.map((text) => address(text).text));
    expect(new Set([...distinct].map((text) => subjects.snapshot(address(text)))).size).toBe(
      distinct.size,
    );
  });

  it.each(['', 'Main', 'a.b', 'a*', '>', 'a b', '-a', 'a'.repeat(33)])(
    'refuses the installation name %j',
    (name) => {
      expect(() => subjectsOf(name)).toThrow(TypeError);
    },
  );
});
