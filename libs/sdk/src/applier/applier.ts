import { assert } from '@pawl/kernel';
import { canonicalize, judgeSnapshot } from '@pawl/contracts';
import type {
  AddressText,
  HeldSnapshot,
  JsonObject,
  Sha256,
  Snapshot,
  SnapshotVariant,
} from '@pawl/contracts';
import type { PawlErrorCode } from '../errors.js';
import type { ApplierEffect, ApplierInput, Rejection } from './applier-io.js';
import type { Candidate, ContentJob, FetchJob } from './applier-jobs.js';
import { decodeContent } from './decode-content.js';
import type { InstallationPin } from './installation-pin.js';
import { absentContent } from './last-known-good.js';
import type { LastKnownGood, VariantContent } from './last-known-good.js';
import { isNewer, newest } from './version-point.js';
import type { VersionPoint } from './version-point.js';
import { headOf, hashOf, inlineOf, variantOf } from './verify-snapshot.js';

export interface ApplierEnvironment {
  readonly address: AddressText;
  readonly sha256: Sha256;
  readonly installation: InstallationPin;
}

/** Where a snapshot came from. */
interface Origin {
  /** What it was parsed from, if that is at hand. */
  readonly text?: string | undefined;
  /** Read from the stream. */
  readonly stored: boolean;
}

/** Keeps the document, not its text, which is as large again. */
interface Running {
  readonly head: HeldSnapshot;
  readonly content: Omit<VariantContent, 'text'>;
  readonly document: JsonObject | undefined;
}

/** Reads in a row that stay behind what was named before the name is taken for a mistake. */
const READS_BEHIND = 12;
/** Incidents remembered so that each is reported once. */
const REPORTED = 64;
/** Refused snapshots remembered so that none is tried twice. */
const REFUSED = 8;

/**
 * Decides what one consumer runs at one address (DESIGN.md §4, Acceptance): no I/O, no clock, no
 * chance. Feed it inputs, carry out the effects in order, feed back their answers.
 *
 * Invariants: at most one job at a time; what runs only ever moves to a snapshot that
 * `judgeSnapshot` accepts over what was held; a snapshot runs only after its content was verified,
 * validated and handed to be stored.
 */
export class Applier {
  readonly #env: ApplierEnvironment;
  #effects: ApplierEffect[] = [];
  /** What the next snapshot is judged against: what runs, or what the file holds. */
  #floor: HeldSnapshot | null = null;
  /** The file's record while nothing runs. */
  #restored: LastKnownGood | null = null;
  /** The file's record that came while a job was under way. */
  #late: LastKnownGood | null = null;
  #settled = false;
  #running: Running | null = null;
  #job: FetchJob | ContentJob | null = null;
  #jobs = 0;
  /** The newest acceptable snapshot that waits for the job to end. */
  #next: Snapshot | null = null;
  /** Refused since something was last applied from the network, oldest first. */
  #refused: readonly Rejection[] = [];
  #highest: VersionPoint | null = null;
  /** Newest snapshot that arrived and verified, whatever became of it. */
  #seen: VersionPoint | null = null;
  #named: VersionPoint | null = null;
  #readsBehind = 0;
  readonly #reported = new Set<string>();

  constructor(environment: ApplierEnvironment) {
    this.#env = environment;
  }

  /** The head of what runs. */
  get running(): HeldSnapshot | null {
    return this.#running?.head ?? null;
  }

  /** The newest that was refused, until something is applied over it. */
  get rejected(): Rejection | null {
    return this.#refused.reduce<Rejection | null>((best, each) => newest(best, each), null);
  }

  /** The newest that this process ever ran. */
  get highest(): VersionPoint | null {
    return this.#highest;
  }

  /** Whether the stream should be read again, later: it showed nothing, or less than was named. */
  get behind(): boolean {
    if (this.#seen === null) return true;
    return this.#named !== null && isNewer(this.#named, newest(this.#seen, this.#floor));
  }

  step(input: ApplierInput): readonly ApplierEffect[] {
    this.#effects = [];
    this.#take(input);
    return this.#effects;
  }

  #take(input: ApplierInput): void {
    switch (input.kind) {
      case 'restored':
        return this.#restore(input.record);
      case 'pushed':
        return this.#offer(input.snapshot, { text: input.text, stored: false });
      case 'named':
        return this.#name(input.point, input.hash);
      case 'read':
        return this.#read(input);
      case 'missing':
        return this.#miss(input.job);
      case 'fetched':
        return this.#fetched(input);
      case 'validated':
        return this.#validated(input.job, input.failure);
      case 'stored':
        return this.#stored(input.job);
      case 'settle':
        this.#settled = true;
        return this.#runRestored();
    }
  }

  /**
   * One that comes when something runs already tells nothing more; of a job that is under way the newer
   * one goes first.
   */
  #restore(record: LastKnownGood): void {
    const { address, head } = record;
    if (address !== this.#env.address || !this.#admit(head.installation)) return;
    if (this.#running !== null) return;
    if (this.#job?.stage === 'fetching') this.#stepBack(this.#job);
    if (this.#job !== null && isNewer(head, this.#job.head)) this.#job = null;
    if (this.#job !== null) {
      this.#late = record;
      return;
    }
    this.#keep(record);
    this.#proceed();
  }

  #keep(record: LastKnownGood): void {
    this.#restored = record;
    this.#floor = record.head;
  }

  #stepBack(job: FetchJob): void {
    this.#next = job.snapshot;
    this.#job = null;
  }

  #admit(installation: string): boolean {
    if (!this.#env.installation.admits(installation)) {
      this.#reportForeign(installation);
      return false;
    }
    this.#env.installation.pin(installation);
    return true;
  }

  #reportForeign(installation: string): void {
    const ours = this.#env.installation.value;
    const message =
      `a snapshot of the installation "${installation}" was ignored, this consumer belongs to ` +
      `"${ours}"; to join the other one, remove this consumer's cache folder and restart it`;
    this.#report('foreign-installation', installation, message);
  }

  #name(point: VersionPoint, hash: string): void {
    const floor = this.#floor;
    const known = newest(this.#seen, floor);
    const sameButDifferent =
      floor !== null &&
      point.generation === floor.generation &&
      point.version === floor.version &&
      hash !== floor.hash &&
      !this.#reported.has(this.#incident('version-conflict', point, hash));
    if (!isNewer(point, known)) {
      if (sameButDifferent) this.#effects.push({ kind: 'read', because: 'named' });
      return;
    }
    if (this.#named === null || isNewer(point, this.#named)) {
      this.#named = point;
      this.#readsBehind = 0;
    }
    this.#effects.push({ kind: 'read', because: 'named' });
  }

  #read({ snapshot, text }: Extract<ApplierInput, { kind: 'read' }>): void {
    if (snapshot !== null) this.#offer(snapshot, { text, stored: true });
    if (this.#named === null || !this.behind) {
      this.#readsBehind = 0;
      return;
    }
    this.#readsBehind += 1;
    if (this.#readsBehind < READS_BEHIND) return;
    const { generation, version } = this.#named;
    this.#named = null;
    this.#report(
      'snapshot-missing',
      `${generation}.${version}`,
      `snapshot ${version} of generation ${generation} was announced but is not in the stream`,
    );
  }

  #miss(jobId: number): void {
    const job = this.#job;
    if (job === null || job.id !== jobId || job.stage !== 'fetching') return;
    this.#job = { ...job, missing: true };
    this.#effects.push({ kind: 'read', because: 'missing' });
  }

  #offer(snapshot: Snapshot, origin: Origin): void {
    if (snapshot.address !== this.#env.address) {
      const message = `a snapshot of ${snapshot.address} arrived on the subject of ${this.#env.address}`;
      return this.#report('malformed-message', snapshot.hash, message);
    }
    if (this.#knows(snapshot)) return this.#see(snapshot);
    this.#judge(snapshot, origin);
  }

  #judge(snapshot: Snapshot, origin: Origin): void {
    const judgement = judgeSnapshot(this.#floor, snapshot, {
      installation: this.#env.installation.value,
    });
    if (judgement.kind === 'foreign') return this.#reportForeign(snapshot.installation);
    if (judgement.kind === 'same' || judgement.kind === 'older') {
      this.#see(snapshot);
      if (!this.behind) this.#runRestored();
      return;
    }
    if (!this.#verify(snapshot, origin.text)) return;
    this.#see(snapshot);
    if (judgement.kind === 'conflict') {
      const key = this.#incident('version-conflict', snapshot, snapshot.hash);
      this.#reportOnce(key, 'version-conflict', judgement.reason);
      return this.#runRestored();
    }
    if (judgement.kind === 'refuse') return this.#refuse(snapshot, judgement.reason);
    this.#env.installation.pin(snapshot.installation);
    this.#queue(snapshot, judgement.lowered, origin.stored);
  }

  /** Whether exactly this snapshot is being worked on, waits, or was refused. */
  #knows(snapshot: Snapshot): boolean {
    const twins = [this.#job?.head, this.#next, ...this.#refused];
    return twins.some(
      (twin) =>
        twin !== undefined &&
        twin !== null &&
        twin.generation === snapshot.generation &&
        twin.version === snapshot.version &&
        twin.hash === snapshot.hash,
    );
  }

  #see(point: VersionPoint): void {
    this.#seen = newest(this.#seen, { generation: point.generation, version: point.version });
  }

  #verify(snapshot: Snapshot, text: string | undefined): boolean {
    const hash = hashOf(snapshot, text, this.#env.sha256);
    if (hash === snapshot.hash) return true;
    const message = `snapshot ${snapshot.version} hashes to ${hash}, it claims ${snapshot.hash}; reading it again`;
    this.#report('hash-mismatch', `${snapshot.version}.${snapshot.hash}.${hash}`, message);
    this.#effects.push({ kind: 'read', because: 'damaged' });
    return false;
  }

  #refuse(snapshot: Snapshot, reason: string): void {
    this.#reject(snapshot, reason);
    this.#runRestored();
  }

  #queue(snapshot: Snapshot, lowered: boolean, stored: boolean): void {
    const job = this.#job;
    if (job === null) return this.#begin(snapshot, lowered);
    if (job.stage === 'fetching') {
      const newer = isNewer(snapshot, job.head);
      if (newer || (stored && this.#givesWay(job, snapshot))) this.#begin(snapshot, lowered);
      return;
    }
    if (!isNewer(snapshot, newest(job.head, this.#next))) return;
    this.#next = snapshot;
  }

  /**
   * What was announced but cannot be fetched gives way to what the stream holds of the same version
   * or, once its content was found missing, of a lower one: no push holds back what was published.
   */
  #givesWay(job: FetchJob, stored: Snapshot): boolean {
    const { head } = job;
    if (isNewer(head, stored) && !job.missing) return false;
    const announced = `snapshot ${head.version} (${head.hash}) was announced and cannot be fetched`;
    const message = `${announced}, the stream holds ${stored.version} (${stored.hash})`;
    this.#report('version-conflict', head.hash, message);
    this.#seen = null;
    this.#see(stored);
    return true;
  }

  #begin(snapshot: Snapshot, lowered: boolean): void {
    this.#job = null;
    const candidate: Candidate = { head: headOf(snapshot), lowered, fromFile: false };
    const variant = variantOf(snapshot);
    if (variant === undefined) {
      return this.#refuse(snapshot, 'the snapshot has no variant for this consumer');
    }
    if (variant.absent === true) return this.#store(candidate, absentContent(variant), undefined);
    const { inline: carried } = variant;
    if (carried !== undefined) {
      const inline = inlineOf({ ...variant, inline: carried }, this.#env.sha256);
      return inline.ok
        ? this.#validate(candidate, inline.content, inline.document)
        : this.#refuse(snapshot, `the inline content ${inline.message}`);
    }
    const at = this.#running;
    if (at?.document !== undefined && at.content.hash === variant.hash) {
      const content = { ...at.content, text: canonicalize(at.document) };
      return this.#validate(candidate, content, at.document);
    }
    this.#fetch(candidate, snapshot, variant);
  }

  #fetch(candidate: Candidate, snapshot: Snapshot, variant: SnapshotVariant): void {
    const kept = this.#restored?.content;
    if (kept !== undefined && kept.hash === variant.hash) {
      const decoded = decodeContent(kept.text, variant, this.#env.sha256);
      if (decoded.ok) return this.#validate(candidate, decoded.content, decoded.document);
    }
    const id = this.#nextJob();
    this.#job = { ...candidate, id, stage: 'fetching', snapshot, missing: false };
    const { hash, size } = variant;
    this.#effects.push({ kind: 'fetch', job: id, version: snapshot.version, hash, size });
  }

  #fetched(input: Extract<ApplierInput, { kind: 'fetched' }>): void {
    const job = this.#job;
    if (job === null || job.id !== input.job || job.stage !== 'fetching') return;
    this.#validate(job, input.content, input.document);
  }

  #validate(candidate: Candidate, content: VariantContent, document: JsonObject): void {
    const id = this.#nextJob();
    const { head, lowered, fromFile } = candidate;
    this.#job = { head, lowered, fromFile, id, stage: 'validating', content, document };
    this.#effects.push({ kind: 'validate', job: id, version: head.version, document });
  }

  #validated(jobId: number, failure: string | null): void {
    const job = this.#job;
    if (job === null || job.id !== jobId || job.stage !== 'validating') return;
    if (failure !== null) {
      this.#job = null;
      if (job.fromFile) this.#restored = null;
      this.#reject(job.head, failure);
      return this.#proceed();
    }
    if (job.fromFile) return this.#apply(job, job.content, job.document);
    this.#store(job, job.content, job.document);
  }

  #store(candidate: Candidate, content: VariantContent, document: JsonObject | undefined): void {
    const id = this.#nextJob();
    const { head, lowered, fromFile } = candidate;
    this.#job = { head, lowered, fromFile, id, stage: 'storing', content, document };
    const record = { address: this.#env.address, head, content };
    this.#effects.push({ kind: 'store', job: id, record });
  }

  #stored(jobId: number): void {
    const job = this.#job;
    if (job === null || job.id !== jobId || job.stage !== 'storing') return;
    this.#apply(job, job.content, job.document);
  }

  #apply(candidate: Candidate, content: VariantContent, document: JsonObject | undefined): void {
    const { head, lowered, fromFile } = candidate;
    const previous = this.#running?.head ?? null;
    assert(
      fromFile ? previous === null : isNewer(head, newest(previous, this.#restored?.head ?? null)),
      'what runs only moves forward',
    );
    this.#job = null;
    this.#floor = head;
    this.#restored = null;
    const { hash, size, absent } = content;
    this.#running = { head, content: { hash, size, absent }, document };
    this.#refused = fromFile ? this.#refused.filter((each) => isNewer(each, head)) : [];
    this.#highest = newest(this.#highest, { generation: head.generation, version: head.version });
    if (this.#named !== null && !isNewer(this.#named, head)) this.#named = null;
    this.#effects.push({
      kind: 'apply',
      head,
      document,
      previous: previous?.version ?? null,
      lowered,
    });
    this.#proceed();
  }

  /** The job ended: take up what waits. */
  #proceed(): void {
    const late = this.#late;
    this.#late = null;
    if (late !== null && this.#running === null) this.#keep(late);
    const next = this.#next;
    this.#next = null;
    if (next !== null) this.#judge(next, { stored: false });
    const isNextRefused = this.#job === null && this.#refused.length > 0;
    if (this.#settled || isNextRefused) this.#runRestored();
  }

  /** Runs the file's record if nothing runs; a job that still waits for its content steps back. */
  #runRestored(): void {
    const restored = this.#restored;
    if (restored === null || this.#running !== null) return;
    if (this.#job !== null && this.#job.stage !== 'fetching') return;
    if (this.#job !== null) this.#stepBack(this.#job);
    const candidate: Candidate = { head: restored.head, lowered: false, fromFile: true };
    const { content } = restored;
    if (content.absent) return this.#apply(candidate, content, undefined);
    const decoded = decodeContent(content.text, content, this.#env.sha256);
    if (decoded.ok) return this.#validate(candidate, decoded.content, decoded.document);
    this.#restored = null;
    this.#report('cache-corrupt', content.hash, `the file's content ${decoded.message}`);
    this.#proceed();
  }

  #reject(head: VersionPoint & { readonly hash: string }, reason: string): void {
    const { generation, version, hash } = head;
    const rejection: Rejection = { generation, version, hash, reason };
    this.#refused = [...this.#refused.slice(1 - REFUSED), rejection];
    this.#effects.push({ kind: 'reject', rejection });
  }

  #nextJob(): number {
    this.#jobs += 1;
    return this.#jobs;
  }

  #incident(code: PawlErrorCode, point: VersionPoint, hash: string): string {
    return `${code} ${point.generation}.${point.version}.${hash}`;
  }

  #report(code: PawlErrorCode, detail: string, message: string): void {
    this.#reportOnce(`${code} ${detail}`, code, message);
  }

  #reportOnce(key: string, code: PawlErrorCode, message: string): void {
    if (this.#reported.has(key)) return;
    if (this.#reported.size >= REPORTED) this.#reported.clear();
    this.#reported.add(key);
    this.#effects.push({ kind: 'report', code, message });
  }
}
