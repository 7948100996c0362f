import { afterEach, describe, expect, it, vi } from 'vitest';
import { ownProcessEnds } from './process-ends.js';
import type { ProcessEnd } from './process-ends.js';

const SIGNALS = ['SIGTERM', 'SIGINT'] as const;
const EVENTS = [...SIGNALS, 'exit'] as const;

const counts = (): readonly number[] => EVENTS.map((name) => process.listenerCount(name));
/** The listener that was added last, or first of all for a signal. */
const exitListener = () => process.listeners('exit').at(-1) as (code: number) => void;

afterEach(() => vi.restoreAllMocks());

describe('the ends of this process', () => {
  it('are listened to while somebody asks, once however many ask', () => {
    const before = counts();
    const stops = [1, 2, 3].map(() => ownProcessEnds.watch(() => undefined));
    expect(counts()).toEqual(before.map((count) => count + 1));
    stops[0]?.();
    stops[0]?.();
    expect(counts()).toEqual(before.map((count) => count + 1));
    for (const stop of stops) stop();
    expect(counts()).toEqual(before);
  });

  it.each<[number, ProcessEnd]>([
    [0, 'clean'],
    [1, 'unclean'],
    [134, 'unclean'],
  ])('with exit code %d: %s', (code, end) => {
    const told: ProcessEnd[] = [];
    const stops = [1, 2].map(() => ownProcessEnds.watch((each) => told.push(each)));
    exitListener()(code);
    for (const stop of stops) stop();
    expect(told).toEqual([end, end]);
  });

  it.each(SIGNALS)('by %s are told, and come about although it was listened to', (signal) => {
    const others = process.listeners(signal);
    process.removeAllListeners(signal);
    const kill = vi.spyOn(process, 'kill').mockReturnValue(true);
    const told: ProcessEnd[] = [];
    const stop = ownProcessEnds.watch((end) => told.push(end));
    process.emit(signal, signal);
    expect(told).toEqual(['told']);
    expect(process.listenerCount(signal)).toBe(0);
    expect(kill.mock.calls).toEqual([[process.pid, signal]]);
    stop();
    for (const other of others) process.on(signal, other);
  });

  it.each(SIGNALS)('by %s are left to others who listen, of whom it is none by then', (signal) => {
    const kill = vi.spyOn(process, 'kill').mockReturnValue(true);
    const others = process.listeners(signal);
    process.removeAllListeners(signal);
    const told: unknown[] = [];
    process.once(signal, () => told.push(process.listenerCount(signal)));
    const stop = ownProcessEnds.watch((end) => told.push(end));
    process.on(signal, () => told.push('other'));
    process.emit(signal, signal);
    expect(told).toEqual(['told', 1, 'other']);
    expect(kill).not.toHaveBeenCalled();
    stop();
    process.removeAllListeners(signal);
    for (const other of others) process.on(signal, other);
  });
});
