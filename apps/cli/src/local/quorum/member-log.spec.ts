import { PatientOutput } from '@pawl/platform';
import { expect, it } from 'vitest';
import { memberLog } from './member-log.js';

function recorded(format: 'text' | 'json', level: 'info' | 'warn' = 'info') {
  const lines: string[] = [];
  const output = new PatientOutput((text, done) => {
    lines.push(text);
    done();
  });
  return { lines, log: memberLog({ format, level, nodeId: 'n1', output }) };
}

it('writes lines for people', () => {
  const { lines, log } = recorded('text');
  log.info('first\nand second');
  log.warn('third');
  expect(lines[0]).toMatch(/^\d{4}-\d\d-\d\dT\S+Z info {2}first and second\n$/);
  expect(lines[1]).toMatch(/Z warn {2}third\n$/);
});

it('writes the JSON lines of the control plane', () => {
  const { lines, log } = recorded('json');
  log.error('broken');
  expect(JSON.parse(lines[0] ?? '')).toMatchObject({ level: 'error', node: 'n1', msg: 'broken' });
});

it.each(['text', 'json'] as const)('leaves out what is below the level: %s', (format) => {
  const { lines, log } = recorded(format, 'warn');
  log.info('not written');
  log.warn('written');
  expect(lines).toHaveLength(1);
});
