import { describe, expect, it } from 'vitest';
import { LIMITS } from '../limits.js';
import { checkDocument } from './directives.js';
import type { JsonValue } from './json-value.js';

const check = (text: string) => checkDocument(JSON.parse(text) as JsonValue, 'acme/prod');

describe('checkDocument', () => {
  it.each([
    '{}',
    '{"a":{"$pawl":"delete"},"b":{"c":{"$pawl":"delete"}}}',
    '{"$pawl":"replace","a":{"$pawl":"replace","b":[1]}}',
    '{"a":["$pawl",{"b":"delete"}],"$Pawl":1,"pawl":"delete"}',
  ])('takes %s', (text) => {
    expect(check(text)).toEqual({ ok: true, value: JSON.parse(text) as unknown });
  });

  it.each(['null', '[]', '"a"', '1', 'true'])('refuses %s, which is no object', (text) => {
    const outcome = check(text);
    expect(outcome).toMatchObject({ ok: false, problem: { code: 'not-an-object' } });
  });

  it.each([
    ['{"$pawl":"delete"}', '', /cannot delete the document/],
    ['{"a":{"$pawl":"delete","b":1}}', '/a', /stands alone/],
    ['{"a":{"$pawl":"secret","ref":"vault:x"}}', '/a', /reserved/],
    ['{"a":{"b~":{"$pawl":"merge"}}}', '/a/b~0', /not "merge"/],
    ['{"a":{"$pawl":null}}', '/a', /not null/],
    ['{"a":{"$pawl":{"$pawl":"delete"}}}', '/a', /not an object/],
    ['{"a":[{"$pawl":"delete"}]}', '/a/0', /inside an array/],
    ['{"a":[[{"b":{"$pawl":"replace"}}]]}', '/a/0/0/b', /inside an array/],
    ['{"$pawl":"replace","a":[{"$pawl":"replace"}]}', '/a/0', /inside an array/],
  ])('refuses the directive in %s', (text, pointer, message) => {
    const outcome = check(text);
    if (outcome.ok) throw new Error('accepted');
    expect(outcome.problem.code).toBe('unknown-directive');
    const [error] = outcome.problem.errors ?? [];
    expect(error?.address).toBe('acme/prod');
    expect(error?.pointer).toBe(pointer);
    expect(error?.message).toMatch(message);
    expect(outcome.problem.detail).toMatch(message);
  });

  it('lists every fault, up to the limit', () => {
    const two = check('{"a":{"$pawl":1},"b":{"$pawl":2}}');
    expect(two.ok ? [] : two.problem.errors?.map((error) => error.pointer)).toEqual(['/a', '/b']);
    const many = Array.from({ length: 300 }, (_, index) => [`k${index}`, { $pawl: index }]);
    const outcome = checkDocument(Object.fromEntries(many) as JsonValue, 'acme');
    expect(outcome.ok ? 0 : outcome.problem.errors?.length).toBe(LIMITS.errors);
  });

  it('refuses what a patch may have made: too deep, or with the key "__proto__"', () => {
    const deep = (levels: number): JsonValue =>
      Array.from({ length: levels - 1 }).reduce<JsonValue>((inner) => ({ a: inner }), {});
    expect(checkDocument(deep(LIMITS.jsonDepth), 'acme').ok).toBe(true);
    expect(checkDocument({ a: [deep(LIMITS.jsonDepth)] }, 'acme')).toMatchObject({
      problem: { code: 'too-deep' },
    });
    expect(checkDocument(deep(100_000), 'acme')).toMatchObject({ problem: { code: 'too-deep' } });
    expect(check('{"a":{"__proto__":{}}}')).toMatchObject({
      problem: { code: 'forbidden-key', errors: [{ pointer: '/a/__proto__' }] },
    });
  });
});
