import { describe, expect, it } from 'vitest';
import { ManualTime } from '@pawl/kernel';
import { recordingLogger } from '../testing/recording.js';
import { DroppedMessages } from './dropped-messages.js';

describe('DroppedMessages', () => {
  it('counts each, and warns once in a while with how many there were', () => {
    const logger = recordingLogger();
    const clock = new ManualTime();
    const counted: string[] = [];
    const onDrop = (kind: string, reason: string): void => void counted.push(`${kind} ${reason}`);
    const dropped = new DroppedMessages({ logger, clock, onDrop });
    for (let n = 0; n < 5; n += 1) dropped.drop('ack', 'malformed', () => ({ n }));
    dropped.drop('hello', 'malformed', () => ({ n: 9 }));
    expect(counted).toHaveLength(6);
    expect(logger.lines).toHaveLength(2);
    clock.advance(10_000);
    dropped.drop('ack', 'malformed', () => ({ n: 5 }));
    expect(logger.lines[2]).toContain('"alsoSinceLast":4');
    expect(logger.lines[2]).toContain('"n":5');
  });
});
