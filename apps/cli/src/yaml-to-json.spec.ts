import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { yamlToJson } from './yaml-to-json.js';

describe('yamlToJson', () => {
  const warnings: Error[] = [];
  const hear = (warning: Error): void => void warnings.push(warning);
  beforeEach(() => void process.on('warning', hear));
  afterEach(() => void process.off('warning', hear));

  it.each([
    ['1: a\ntrue: b\n"2.50": c\n', '{"1":"a","true":"b","2.50":"c"}'],
    ['a: !!str 1\nb: !!map {}\nc: !!seq []\n', '{"a":"1","b":{},"c":[]}'],
    ['a: 2001-01-01\n', '{"a":"2001-01-01"}'],
    ['"<<": 1\nb: <<\n', '{"<<":1,"b":"<<"}'],
    ['a: &x {b: 1}\nc: *x\n', '{"a":{"b":1},"c":{"b":1}}'],
    ['&k a: *k', '{"a":"a"}'],
    ['? a\n', '{"a":null}'],
    ['', 'null'],
  ])('reads %j as %j', (yaml, json) => {
    expect(yamlToJson(yaml, 'a.yaml')).toBe(json);
  });

  it.each([
    ['b: 1\na: !!binary aGk=\n', /!!binary names no type of JSON.* at line 2, column \d+$/],
    ['a: !!timestamp 2001-01-01\n', /!!timestamp names no type .*line 1/],
    ['%YAML 1.1\n---\na: 2001-01-01\n', /a date is no type of JSON; .* at line 3, column 4$/],
    ['a: !!set {x}\n', /!!set names no type/],
    ['a: !!omap [x: 1]\n', /!!omap names no type/],
    ['a:\n- !mine 3\n', /!mine names no type .*line 2/],
    ['a: !!int x\n', /!!int|tag:yaml.org,2002:int[^]*line 1/],
    ['a: &a {x: 1}\nb:\n  <<: *a\n', /merge key << .*write the keys out at line 3, column 3$/],
    ['%YAML 1.1\n---\n<<: {c: 1}\n', /merge key <</],
    ['[a]: two\n', /a key is text in JSON, not a list or a mapping at line 1, column 1$/],
    ['? {a: 1}\n: 2\n', /not a list or a mapping/],
    ['b: &k [x]\n*k : 1\n', /not a list or a mapping at line 2/],
    ['? !!binary aGk=\n: 1\n', /!!binary|put aGk= in quotes/],
    ['~: 2\n', /put ~ in quotes at line 1/],
    ['1.50: 2\n', /put 1\.50 in quotes/],
    ['a: .nan\n', /\.nan is not a number that JSON knows at line 1, column 4$/],
    ['a: 1e400\n', /1e400 is not a number/],
    ['%YAML 9.9\n---\na: 1\n', /9\.9/],
  ])('refuses %j, and says where', (yaml, message) => {
    expect(() => yamlToJson(yaml, 'a.yaml')).toThrow(message);
    expect(() => yamlToJson(yaml, 'a.yaml')).toThrow(/^a\.yaml: /);
  });

  it('has Node warn of nothing', async () => {
    for (const yaml of ['[a]: two\n', 'a: !x y\n', '? !!binary aGk=\n: 1\n']) {
      expect(() => yamlToJson(yaml, 'a.yaml')).toThrow();
    }
    await new Promise((resolve) => setImmediate(resolve));
    expect(warnings).toEqual([]);
  });
});
