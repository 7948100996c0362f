import { describe, expect, it } from 'vitest';
import { ProcessTime } from './process-time.js';
import { SimulatedTime } from './simulated-time.js';

function setUp(rate = 1): { world: SimulatedTime; process: ProcessTime; rung: number[] } {
  const world = new SimulatedTime();
  const process = new ProcessTime(world, rate);
  const rung: number[] = [];
  for (const afterMs of [300, 100, 200]) {
    process.after(afterMs, () => rung.push(afterMs, world.monotonicMs()));
  }
  return { world, process, rung };
}

describe('the time of a process', () => {
  it('drifts with its timers, also those that run already', async () => {
    const { world, process, rung } = setUp();
    await world.advance(150);
    process.drift(5);
    await world.advance(50);
    expect(process.monotonicMs()).toBe(400);
    expect(rung).toEqual([100, 100, 200, 160, 300, 180]);
  });

  it('jumps ahead: what is due is called soon, in its order', async () => {
    const { world, process, rung } = setUp();
    process.jump(250);
    await world.advance(10);
    expect(rung).toEqual([100, 0, 200, 0]);
    expect([process.monotonicMs(), process.jumpedMs]).toEqual([260, 250]);
    await world.advance(40);
    expect(rung.slice(4)).toEqual([300, 50]);
    expect(() => process.jump(-1)).toThrow('never goes back');
  });

  it('stands still with the machine, and goes on by itself while the process is paused', async () => {
    const { world, process, rung } = setUp();
    process.suspend();
    await world.advance(1000);
    expect([process.monotonicMs(), rung]).toEqual([0, []]);
    process.resume();
    await world.advance(100);
    expect(rung).toEqual([100, 1100]);
    process.pause();
    await world.advance(500);
    expect([process.monotonicMs(), rung.length]).toEqual([600, 2]);
    process.resume();
    await world.advance(0);
    expect(rung.slice(2)).toEqual([200, 1600, 300, 1600]);
  });

  it('has a wall clock that is set alone, and nothing more once it has ended', async () => {
    const { world, process, rung } = setUp(2);
    process.setWall(-5000);
    await world.advance(60);
    expect([process.wallMs(), process.monotonicMs(), rung]).toEqual([-4940, 120, [100, 50]]);
    process.end();
    process.jump(1000);
    await world.advance(1000);
    expect(rung).toEqual([100, 50]);
  });
});
