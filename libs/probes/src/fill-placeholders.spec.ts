import { describe, expect, it } from 'vitest';
import type { AddressText } from '@pawl/contracts';
import { fillPlaceholders, PLACEHOLDERS, unknownPlaceholder } from './fill-placeholders.js';
import { RELEASE } from './testing/probed-release.js';

describe('fillPlaceholders', () => {
  it('fills in what is known of the release, with spaces or without', () => {
    const query = `f{a="{{address}}",s="{{ scope }}",c=~".*{{release}}.*"}>{{version}}+{{stage}}`;
    expect(unknownPlaceholder(query)).toBeUndefined();
    expect(fillPlaceholders(query, RELEASE)).toBe(
      'f{a="acme/prod/checkout:limits",s="acme/prod/checkout",c=~".*0123456789abcdef.*"}>7+1',
    );
  });

  it('leaves alone what is none, and does not fill in what it has filled in', () => {
    expect(fillPlaceholders('sum by (a) (f{b="{"})', RELEASE)).toBe('sum by (a) (f{b="{"})');
    expect(PLACEHOLDERS).toHaveLength(5);
  });

  it.each(['{{interval}}', '{{ }}', '{{constructor}}', '{{toString}}', '{{Address}}'])(
    'knows no %s',
    (written) => {
      expect(unknownPlaceholder(`f{a="{{address}}"}[${written}]`)).toBe(written);
      expect(() => fillPlaceholders(written, RELEASE)).toThrow('cannot be filled in');
    },
  );

  it.each(['a"} or f{x="', 'a\\', "a'", 'a`b', 'a\nb', 'a|b', '.*', ''])(
    'fills in nothing that could mean something: %j',
    (releaseId) => {
      const about = { ...RELEASE, releaseId };
      expect(() => fillPlaceholders('f{a="{{release}}"}', about)).toThrow('cannot be filled in');
    },
  );

  it('takes the longest address that there is', () => {
    const scope = Array.from({ length: 8 }, () => 'a'.repeat(63)).join('/');
    const about = { ...RELEASE, address: `${scope}:${'b'.repeat(63)}` as AddressText };
    expect(fillPlaceholders('{{scope}}', about)).toBe(scope);
  });
});
