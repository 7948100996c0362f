import type { Clock, Rng, Timer } from '@pawl/kernel';
import type { Sha256 } from '@pawl/contracts';
import type { LastKnownGoodStore, Link } from './ports.js';

/** What the SDK's core is handed: in production the machine's, in tests and simulation fakes. */
export interface Capabilities {
  readonly clock: Clock;
  /** For work that somebody awaits: keeps the process alive while it is pending. */
  readonly foreground: Timer;
  /** For everything else: a service is kept alive by its own work, not by these. */
  readonly background: Timer;
  readonly rng: Rng;
  readonly sha256: Sha256;
  readonly link: Link;
  /** Resolves to nothing when there is no cache folder or it cannot be used. */
  readonly cache: Promise<LastKnownGoodStore | undefined>;
}
