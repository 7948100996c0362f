import type { Timer } from '@pawl/kernel';

export interface DrainingOptions {
  readonly timer: Timer;
  /** How long it may take at most. */
  readonly boundMs: number;
  /** Whether everybody can see that this node drains. */
  readonly isSaid: () => boolean;
  /** Not every shard could be handed over in time; `said` as above. */
  readonly givenUp: (said: boolean) => void;
}

/** Within this time an owner that drains must have been able to say so. */
const SAY_MS = 2_000;

/** A planned stop that goes on. */
export class Draining {
  readonly over: Promise<void>;
  readonly end: () => void;

  constructor({ timer, boundMs, isSaid, givenUp }: DrainingOptions) {
    let resolve = (): void => undefined;
    this.over = new Promise<void>((done) => (resolve = done));
    const giveUp = (): void => {
      givenUp(isSaid());
      this.end();
    };
    const timers = [timer.after(boundMs, giveUp), timer.after(SAY_MS, () => isSaid() || giveUp())];
    this.end = () => {
      for (const handle of timers) handle.cancel();
      resolve();
    };
  }
}
