import type { AddressText } from '@pawl/contracts';
import type { AskedReleases } from './asked-releases.js';
import { frozenAt } from './freeze-rules.js';
import type { Span } from './freeze-rules.js';
import type { KeptTruth, NewRelease } from './kept-truth.js';
import {
  inputsAt,
  isAtOrBelow,
  isPinRaised,
  isSame,
  layersAt,
  pinEnded,
  pinMade,
} from './pin-rules.js';
import type { Pin } from './pin-rules.js';
import type { ToldTransition } from './told-transitions.js';
import type { Violations } from './violations.js';

/** So much longer a command may take that stands still more than once. */
const LATE_MS = 60_000;

export interface PinsWorld {
  reached(what: string): void;
  /** All that the wall clock of this owner may have shown since he may have judged what he commits now. */
  wallSpan(owner: string): Span;
  /** A scope is pinned by this owner. */
  pinned(owner: string): void;
}

/** A release state that is committed with others. */
export interface Together {
  readonly address: AddressText;
  readonly next: NewRelease;
}

/** One transition, before it is in the books. */
export interface Pinning {
  readonly truth: KeptTruth;
  readonly address: AddressText;
  readonly owner: string;
  readonly told: ToldTransition;
  readonly now: NewRelease;
  readonly next: NewRelease;
  /** All that is committed in one. */
  readonly together: readonly Together[];
}

/** Demands of pins that they are what was asked for, go no higher than they may, and end as they are to. */
export class PinnedScopes {
  constructor(
    private readonly judge: Violations,
    private readonly asked: AskedReleases,
    private readonly world: PinsWorld,
  ) {}

  took(of: Pinning): void {
    const { told, now, next } = of;
    if (told.action === 'unpin') return this.#unpinned(of);
    if (told.action !== 'pin') return;
    const pin = pinMade(now, next);
    if (pin === undefined) return this.#gaveNumber(of);
    this.#checkNumber(of, pin);
    this.#checkAsked(of, pin);
    const ended = pinEnded(now, next);
    const isOther = ended !== undefined || now.pins.every((one) => one.ancestor !== pin.ancestor);
    if (isOther) this.#checkVersion(of, pin);
    this.#count(of, pin, isOther);
    this.world.pinned(of.owner);
  }

  /** A release state is in the books: all below say so already. */
  reached(truth: KeptTruth, address: AddressText): void {
    for (const place of truth.addresses.filter((each) => isAtOrBelow(each, address))) {
      const { head, definitions } = truth.of(place);
      // One that was only opened may be forgotten.
      if (head === null || definitions.length === 0) continue;
      const isTold = isSame(inputsAt(truth, place), head.inputs);
      const what = `what is done at ${address} is told at ${place} in the same commit (I10)`;
      this.judge.demand(isTold, what);
    }
  }

  #unpinned({ address, owner, told, now, next }: Pinning): void {
    const pin = pinEnded(now, next);
    const what = `the end of what ${address} keeps of ${pin?.ancestor ?? 'nothing'}`;
    if (pin === undefined) return;
    if (told.by === 'owner') {
      const { toMs } = this.world.wallSpan(owner);
      const isDue = Date.parse(pin.until) <= toMs;
      this.judge.demand(isDue, `${what} comes at ${pin.until}, and not before (§4)`);
      return this.world.reached('by itself: unpin');
    }
    const { ancestor } = this.asked.of(told.op) ?? {};
    this.judge.demand(ancestor === pin.ancestor, `${what} is what was asked for (§4)`);
    this.world.reached('unpinned');
  }

  /** Of the ancestor a pin takes a release version, and nothing else. */
  #gaveNumber({ address, next, together }: Pinning): void {
    const isTaken = together.some(({ next: { pins } }) =>
      pins.some((pin) => pin.ancestor === address && pin.releaseVersion === next.releaseVersion),
    );
    this.judge.demand(isTaken, `a release version of ${address} is given for a pin of it (§4)`);
  }

  #checkNumber({ address, now, together }: Pinning, pin: Pin): void {
    const before = now.pins.find(({ ancestor }) => ancestor === pin.ancestor);
    const above = together.find((one) => one.address === pin.ancestor);
    const isKept = pin.version === before?.version;
    const wanted = isKept ? before.releaseVersion : above?.next.releaseVersion;
    const isAlone = together.length === (isKept ? 1 : 2);
    const what = `${address} keeps ${pin.ancestor} under a release version of its own (§4)`;
    this.judge.demand(isAlone && pin.releaseVersion === wanted, what);
  }

  /** What takes its place is not lower but as it is told. */
  #checkVersion({ truth, address, next }: Pinning, { ancestor, version }: Pin): void {
    const { stableVersion, state, blockedVersions } = truth.release(ancestor);
    const between = truth
      .path(address)
      .filter(([at]) => at !== address)
      .flatMap(([, { pins }]) => pins.filter((pin) => pin.ancestor === ancestor));
    const highest = Math.min(stableVersion ?? 0, ...between.map((pin) => pin.version));
    const isAbove = isAtOrBelow(address, ancestor) && address !== ancestor;
    const what = `${address} keeps version ${version} of ${ancestor}, at most ${highest} (§4)`;
    const mayBe = version >= 1 && version <= highest && !blockedVersions.includes(version);
    this.judge.demand(isAbove && mayBe && state !== 'disabled', what);
    this.judge.demand(next.pins.length <= truth.path(address).length - 1, what);
  }

  #checkAsked({ address, owner, told }: Pinning, pin: Pin): void {
    const asked = this.asked.of(told.op);
    const { ancestor, targetVersion = pin.version, until, expireMs = 0, reason } = asked ?? {};
    const what = `${address} keeps ${pin.ancestor} as ${told.op} asked (§4)`;
    const { fromMs, toMs } = this.world.wallSpan(owner);
    const endMs = Date.parse(pin.until);
    const isInTime = endMs >= fromMs - LATE_MS + expireMs && endMs <= toMs + expireMs;
    const ends = until === undefined ? isInTime : endMs === Date.parse(until);
    const isIt = pin.ancestor === ancestor && pin.version === targetVersion;
    const isOf = pin.reason === reason && pin.by === told.author;
    this.judge.demand(told.by === 'person' && isIt && isOf && ends, what);
  }

  #count({ truth, address, owner, now, next }: Pinning, pin: Pin, isOther: boolean): void {
    const { staged, stableVersion } = truth.release(pin.ancestor);
    this.world.reached(isOther ? 'scope pinned' : 'pinned until another time');
    if (isPinRaised(now, next)) this.world.reached('pinned to a higher version');
    if (pin.version < (stableVersion ?? 0)) this.world.reached('pinned to a former version');
    if (frozenAt(truth, address, this.world.wallSpan(owner)) !== undefined) {
      this.world.reached('pinned in a freeze');
    }
    if (staged !== null) this.world.reached('pinned while the ancestor is released in stages');
    const isTwice = layersAt(truth, address).some(
      ({ address: layer, kept }) => layer === pin.ancestor && (kept?.at ?? address) !== address,
    );
    if (isTwice) this.world.reached('pinned below a pin of the same layer');
  }
}
