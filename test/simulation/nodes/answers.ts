import { canonicalize } from '@pawl/contracts';
import type {
  AddressText,
  DefinitionView,
  EffectiveView,
  JsonValue,
  ReleaseView,
  WrittenView,
} from '@pawl/contracts';
import { sha256 } from '@pawl/contracts/node';
import type { Axis, Floor, Histories } from './histories.js';
import { NOWHERE } from './kept-truth.js';
import type { KeptAddress, KeptDefinition, NewRelease } from './kept-truth.js';
import type { Ledger } from './ledger.js';
import type { Violations } from './violations.js';

/** What was asked, and what had been told before. */
export interface Asked {
  readonly op: string;
  readonly address: AddressText;
  readonly floor: Floor;
}

interface Told {
  readonly axis: Axis;
  readonly version: number;
  /** The command that made this version, as far as the answer says so. */
  readonly by?: string | undefined;
}

/**
 * What clients are told, compared with what PostgreSQL holds, or held at some time since the request
 * began: nothing is told that was never committed, and what is told reads as it was written.
 */
export class Answers {
  constructor(
    private readonly ledger: Ledger,
    private readonly histories: Histories,
    private readonly judge: Violations,
  ) {}

  /** A definition was written, or was there already. `schema`: the one that was to be there. */
  written(asked: Asked, view: WrittenView, schema?: JsonValue): void {
    const { version, message, hash } = view;
    const isIt = (row: KeptDefinition | undefined): boolean =>
      row !== undefined &&
      row.op === message &&
      row.hash === hash &&
      (schema === undefined || isSame(row.schema, schema));
    const is = ({ definitions }: KeptAddress): boolean => isIt(definitions[version - 1]);
    const must = schema === undefined;
    this.#command(asked, { told: { axis: 'definition', version, by: message }, is, must });
  }

  released(asked: Asked, view: ReleaseView): void {
    const { releaseVersion: version } = view;
    const is = (kept: KeptAddress): boolean => isRelease(kept, view);
    // What PostgreSQL held at another time may read the same and be by another command.
    const makers = this.ledger
      .truths(asked.floor.era)
      .map((truth) => truth.of(asked.address))
      .filter(is)
      .map(({ releases }) => releases[version - 1]?.op);
    const by = makers.includes(asked.op) ? asked.op : makers[0];
    const told = { axis: 'release', version } as const;
    this.#one(asked, told, is);
    this.#command(asked, { told: { ...told, by }, is, must: false });
  }

  release(asked: Asked, view: ReleaseView): void {
    const told = { axis: 'release', version: view.releaseVersion } as const;
    this.#read(asked, told, (kept) => isRelease(kept, view));
  }

  definition(asked: Asked, view: DefinitionView): void {
    const { version, document, hash, message, schema, abstract } = view;
    this.#read(asked, { axis: 'definition', version }, ({ definitions }) => {
      const row = definitions[version - 1];
      return (
        row !== undefined &&
        row.op === message &&
        row.hash === hash &&
        (row.document === null) === (abstract === true) &&
        isSame(row.document ?? {}, document) &&
        isSame(row.schema, schema ?? null)
      );
    });
  }

  effective(asked: Asked, view: EffectiveView): void {
    const { snapshotVersion: version, document, hash, inputs } = view;
    this.#read(asked, { axis: 'snapshot', version }, ({ heads }) => {
      const head = heads.get(version);
      const variant = head?.variants.get(view.cohort ?? '');
      return (
        head !== undefined &&
        variant !== undefined &&
        sha256(variant.text) === hash &&
        isSame(variant.document, document) &&
        isSame(head.inputs, inputs)
      );
    });
  }

  /** Nothing is known there. */
  unknown({ op, address, floor }: Asked): void {
    this.histories.told(op, { address, axis: 'definition', version: 0 }, floor);
  }

  #read(asked: Asked, told: Told, is: (kept: KeptAddress) => boolean): void {
    this.#one(asked, told, is);
    this.histories.told(asked.op, { address: asked.address, ...told }, asked.floor);
  }

  /** `must`: the command makes a version whatever there is. */
  #command(
    asked: Asked,
    answer: {
      readonly told: Told;
      readonly is: (kept: KeptAddress) => boolean;
      readonly must: boolean;
    },
  ): void {
    const { op, address, floor } = asked;
    const { told, is, must } = answer;
    const tookEffect = this.ledger.truths(floor.era).some(({ ops }) => ops.has(op));
    this.judge.demand(tookEffect || !must, `${op} is acknowledged and in PostgreSQL (I5)`);
    this.#one(asked, told, is);
    if (!tookEffect) return this.histories.told(op, { address, ...told }, floor);
    this.ledger.losses.acknowledged(op);
    const what = `${op} is told the ${told.axis} version that it made, not that of ${told.by} (I5)`;
    this.judge.demand(told.by === op, what);
    this.histories.wrote(op, { address, ...told }, floor);
  }

  #one(asked: Asked, { axis, version }: Told, is: (kept: KeptAddress) => boolean): void {
    const { op, address, floor } = asked;
    const known = this.ledger.truths(floor.era).some((truth) => is(truth.of(address)));
    const what = `${op} is told ${axis} ${version} of ${address} as it was committed (I1, I2, R8)`;
    this.judge.demand(known, what);
  }
}

function isRelease({ releases }: KeptAddress, view: ReleaseView): boolean {
  const { releaseVersion, state, stableVersion, blockedVersions = [], forced = false } = view;
  const next = releaseVersion === 0 ? NOWHERE : releases[releaseVersion - 1]?.next;
  return (
    next !== undefined &&
    next.state === state &&
    next.stableVersion === stableVersion &&
    next.forced === forced &&
    isSame(next.blockedVersions, blockedVersions) &&
    isStaged(next.staged, view) &&
    isQueued(next.queued, view) &&
    arePinned(next.pins, view)
  );
}

function isStaged(staged: NewRelease['staged'], view: ReleaseView): boolean {
  if (staged === null) return view.candidate === undefined && view.staged === undefined;
  const { candidateVersion, pausedFor, preflight: _, stage, ...shown } = staged;
  const place = stage < 0 ? { stage: 0, preflight: { state: 'asking' } } : { stage };
  const reason = pausedFor === null ? {} : { reason: pausedFor };
  return (
    view.candidate === candidateVersion && isSame({ ...shown, ...place, ...reason }, view.staged)
  );
}

function isQueued(queued: NewRelease['queued'], view: ReleaseView): boolean {
  if (queued === null) return view.queued === undefined;
  const { strategy: _, generation: __, beginAt, reason, freezeException, ...told } = queued;
  const { strategy: ___, waitsFor: ____, ...shown } = view.queued ?? {};
  const wanted = {
    ...told,
    ...(beginAt === null ? {} : { at: beginAt }),
    ...(reason === null ? {} : { reason }),
    ...(freezeException === null ? {} : { freezeException }),
  };
  return isSame(wanted, shown);
}

function arePinned(pins: NewRelease['pins'], { pins: shown = [] }: ReleaseView): boolean {
  const wanted = pins.map(({ releaseVersion: _, during: __, ...pin }) => pin);
  const told = shown.map(({ overdue: _, ...pin }) => pin);
  return isSame(wanted, told);
}

/** Of two JSON values. */
function isSame(a: unknown, b: unknown): boolean {
  return canonicalize(a as JsonValue) === canonicalize(b as JsonValue);
}
