import { address } from '@pawl/contracts';
import { ManualTime } from '@pawl/kernel';
import { beforeEach, expect, it } from 'vitest';
import { FollowedRollouts } from './followed-rollouts.js';

const APP = address('acme/app');

let time: ManualTime;
let serves: boolean;
let followed: FollowedRollouts;
let looks: number;
const look = (): void => void (looks += 1);

beforeEach(() => {
  [time, serves, looks] = [new ManualTime(), false, 0];
  followed = new FollowedRollouts({ serves: () => serves, timer: time });
});

it('lets all who follow an address look at the same time, three times a second', () => {
  const at: number[] = [];
  const note = (): void => void at.push(time.monotonicMs());
  followed.follow(APP, note);
  time.advance(100);
  const late = followed.follow(APP, note);
  time.advance(500);
  late.stop();
  time.advance(300);
  expect(at).toEqual([300, 300, 600, 600, 900]);
});

it('lets nobody look whose own node serves the address, or who has stopped', () => {
  serves = true;
  const one = followed.follow(APP, look);
  time.advance(1_000);
  expect(looks).toBe(0);
  serves = false;
  time.advance(300);
  expect(looks).toBe(1);
  one.stop();
  time.advance(1_000);
  expect(looks).toBe(1);
  followed.follow(APP, look);
  time.advance(300);
  expect(looks).toBe(2);
});

it('looks no more often than once in 5 ms, however many addresses are followed', () => {
  for (let n = 0; n < 1_000; n += 1) followed.follow(address(`acme/app${n}`), look);
  time.advance(20_000);
  expect(looks).toBeLessThanOrEqual(4_000);
  expect(looks).toBeGreaterThanOrEqual(3_000);
});
