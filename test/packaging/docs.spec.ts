import { existsSync, readFileSync } from 'node:fs';
import { describeSettings } from '@pawl/platform';
import { describe, expect, it } from 'vitest';

const read = (path: string): string =>
  readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

describe('the docs', () => {
  it('list every setting in the README as it is', () => {
    const rows = describeSettings().map(
      ({ name, default: preset, description }) =>
        `| \`${name}\` | ${preset === null ? 'none' : `\`${preset}\``} | ${description.replaceAll('|', '\\|')} |`,
    );
    const table = read('README.md').split('<!-- settings -->')[1]?.split('<!-- /settings -->')[0];
    const found = (table ?? '')
      .split('\n')
      .filter((line) => line.startsWith('| `'))
      .map((line) => line.replaceAll(/ +/g, ' '));
    expect(found).toEqual(rows);
  });

  it('walk through files that are there', () => {
    const files = [...read('docs/walk.md').matchAll(/`((?:apps|libs)\/[^`]+\.ts)`/g)].map(
      ([, file]) => file ?? '',
    );
    expect(files.length).toBeGreaterThan(10);
    expect(files.filter((file) => !existsSync(new URL(`../../${file}`, import.meta.url)))).toEqual(
      [],
    );
  });

  it('link to what is there', () => {
    const links = [...read('README.md').matchAll(/\]\(([^)#:]+)\)/g)].map(([, link]) => link ?? '');
    expect(links.filter((link) => !existsSync(new URL(`../../${link}`, import.meta.url)))).toEqual(
      [],
    );
  });
});
