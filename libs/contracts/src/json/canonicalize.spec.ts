import { describe, expect, it } from 'vitest';
import { canonicalize } from './canonicalize.js';
import type { JsonValue } from './json-value.js';
import { utf8Bytes } from './unicode.js';

function doubleOf(bits: string): number {
  const view = new DataView(new ArrayBuffer(8));
  view.setBigUint64(0, BigInt(`0x${bits}`));
  return view.getFloat64(0);
}

describe('canonicalize', () => {
  it('prints the sample of RFC 8785, 3.2.2 and 3.2.4', () => {
    const sample = JSON.parse(String.raw`{
      "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
      "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
      "literals": [null, true, false]
    }`) as JsonValue;
    const text = canonicalize(sample);
    expect(text).toBe(
      String.raw`{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],` +
        String.raw`"string":"€$\u000f\nA'B\"\\\\\"/"}`,
    );
    expect(Buffer.from(utf8Bytes(text)).toString('hex')).toBe(
      '7b226c69746572616c73223a5b6e756c6c2c747275652c66616c73655d2c226e756d62657273223a5b' +
        '3333333333333333332e333333333333332c31652b33302c342e352c302e3030322c31652d32375d2c' +
        '22737472696e67223a22e282ac245c75303030665c6e4127425c225c5c5c5c5c222f227d',
    );
  });

  it('sorts the keys of RFC 8785, 3.2.3 by UTF-16 code units', () => {
    const sample = {
      '\u20ac': 'Euro Sign',
      '\r': 'Carriage Return',
      '\ufb33': 'Hebrew Letter Dalet With Dagesh',
      '1': 'One',
      '\ud83d\ude00': 'Emoji: Grinning Face',
      '\u0080': 'Control',
      '\u00f6': 'Latin Small Letter O With Diaeresis',
    };
    const values = [...canonicalize(sample).matchAll(/:"([^"]*)"/g)].map((match) => match[1]);
    expect(values).toEqual([
      'Carriage Return',
      'One',
      'Control',
      'Latin Small Letter O With Diaeresis',
      'Euro Sign',
      'Emoji: Grinning Face',
      'Hebrew Letter Dalet With Dagesh',
    ]);
  });

  it.each([
    ['0000000000000000', '0'],
    ['8000000000000000', '0'],
    ['0000000000000001', '5e-324'],
    ['8000000000000001', '-5e-324'],
    ['7fefffffffffffff', '1.7976931348623157e+308'],
    ['ffefffffffffffff', '-1.7976931348623157e+308'],
    ['4340000000000000', '9007199254740992'],
    ['c340000000000000', '-9007199254740992'],
    ['4430000000000000', '295147905179352830000'],
    ['44b52d02c7e14af5', '9.999999999999997e+22'],
    ['44b52d02c7e14af6', '1e+23'],
    ['44b52d02c7e14af7', '1.0000000000000001e+23'],
    ['444b1ae4d6e2ef4e', '999999999999999700000'],
    ['444b1ae4d6e2ef4f', '999999999999999900000'],
    ['444b1ae4d6e2ef50', '1e+21'],
    ['3eb0c6f7a0b5ed8c', '9.999999999999997e-7'],
    ['3eb0c6f7a0b5ed8d', '0.000001'],
    ['41b3de4355555553', '333333333.3333332'],
    ['41b3de4355555554', '333333333.33333325'],
    ['41b3de4355555555', '333333333.3333333'],
    ['41b3de4355555556', '333333333.3333334'],
    ['41b3de4355555557', '333333333.33333343'],
    ['becbf647612f3696', '-0.0000033333333333333333'],
    ['43143ff3c1cb0959', '1424953923781206.2'],
  ])('prints the double %s of RFC 8785, appendix B, as %s', (bits, printed) => {
    expect(canonicalize(doubleOf(bits))).toBe(printed);
    expect(canonicalize([doubleOf(bits)])).toBe(`[${printed}]`);
  });

  it.each(['7fffffffffffffff', '7ff0000000000000', 'fff0000000000000'])(
    'throws for the double %s, which is no JSON number',
    (bits) => {
      expect(() => canonicalize({ a: [doubleOf(bits)] })).toThrow(TypeError);
    },
  );

  it('throws for lone surrogates in values and keys', () => {
    expect(() => canonicalize(['a\ud800'])).toThrow(/surrogate/);
    expect(() => canonicalize({ '\udc00': 1 })).toThrow(/surrogate/);
    expect(canonicalize('\ud83d\ude00')).toBe('"😀"');
  });

  it('orders keys that look like array indices by code units as well', () => {
    const value = { b: { '2': 1, '10': 2 }, a: [{ '9': 1, '-': 0 }], '1': 0 };
    expect(canonicalize(value)).toBe('{"1":0,"a":[{"-":0,"9":1}],"b":{"10":2,"2":1}}');
  });

  it('throws for what is not JSON', () => {
    expect(() => canonicalize({ a: undefined } as unknown as JsonValue)).toThrow(/undefined/);
    expect(() => canonicalize([1n] as unknown as JsonValue)).toThrow(/bigint/);
    expect(() => canonicalize(new Array<JsonValue>(1))).toThrow(/undefined/);
    expect(() => canonicalize(JSON.parse('{"__proto__":1}') as JsonValue)).toThrow(/__proto__/);
  });

  it('leaves the value as it was', () => {
    const value = { b: [{ d: 1, c: 2 }], a: 0 };
    canonicalize(value);
    expect(JSON.stringify(value)).toBe('{"b":[{"d":1,"c":2}],"a":0}');
  });
});
