import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describeSettings } from '@pawl/platform';
import { describe, expect, it } from 'vitest';

const read = (path: string): string =>
  readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

/** What the first start writes, from the files of the example. */
function firstAddresses(): string[] {
  const folder = new URL('../../examples/shop/', import.meta.url);
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  return files
    .filter((file) => /\.(yaml|json)$/.test(file))
    .map((file) => file.replace(/(\.schema)?\.[a-z]+$/, '').replace('.', ':'));
}

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

  it('name addresses in the README that the first start has, or that a command before has made', () => {
    const known = new Set(firstAddresses());
    const commands = [...read('README.md').matchAll(/^npx --no-install pawl (.+?)( +#.*)?$/gm)];
    const unknown = commands.flatMap(([line, words = '']) => {
      const named = words.split(' ').filter((word) => /^acme[a-z0-9/:-]*$/.test(word));
      const [made] = /^(merge|config put) /.test(words) ? named.slice(-1) : [];
      if (made !== undefined) known.add(made);
      return named.some((address) => !known.has(address)) ? [line] : [];
    });
    expect(unknown).toEqual([]);
    expect(commands.length).toBeGreaterThan(20);
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
