import { describe, expect, it } from 'vitest';
import { createLogger } from './logger.js';
import { NestLogger } from './nest-logger.js';
import type { LogLevel } from '../settings/settings.js';

function recording(level: LogLevel) {
  const lines: Record<string, unknown>[] = [];
  const destination = {
    write: (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>),
  };
  return { lines, logger: createLogger({ level, base: { node: 'node-1' }, destination }) };
}

describe('createLogger', () => {
  it('writes one JSON object per line with the level as a word and the time in RFC 3339', () => {
    const { lines, logger } = recording('info');
    logger.info({ shard: 3 }, 'shard claimed');
    logger.debug('not written');
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatchObject({
      level: 'info',
      node: 'node-1',
      shard: 3,
      msg: 'shard claimed',
    });
    expect(lines[0]?.['time']).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  });

  it('hides headers that carry secrets', () => {
    const { lines, logger } = recording('info');
    logger.info({ req: { headers: { authorization: 'Bearer x', cookie: 'y', host: 'h' } } }, 'in');
    expect(lines[0]?.['req']).toEqual({
      headers: { authorization: '(hidden)', cookie: '(hidden)', host: 'h' },
    });
  });
});

describe('NestLogger', () => {
  it('keeps level, context and stack', () => {
    const { lines, logger } = recording('debug');
    const nest = new NestLogger(logger);
    nest.log('started', 'NestFactory');
    nest.error(new Error('broken'), 'the stack', 'Controller');
    nest.warn({ a: 1 });
    expect(lines).toMatchObject([
      { level: 'debug', msg: 'started', context: 'NestFactory' },
      { level: 'error', msg: 'broken', context: 'Controller', stack: 'the stack' },
      { level: 'warn', details: { a: 1 } },
    ]);
    expect(lines[1]?.['err']).toMatchObject({ message: 'broken' });
  });
});
