import { assert } from '@pawl/kernel';
import { cohortHeld, heldBy, judgeSnapshot } from '@pawl/contracts';
import type {
  AddressText,
  ConsumerIdentity,
  HeldSnapshot,
  JsonObject,
  Sha256,
  Snapshot,
} from '@pawl/contracts';
import type { PawlErrorCode } from '../errors.js';
import type { ApplierEffect, ApplierInput, Rejection } from './applier-io.js';
import type { Candidate, ContentJob, FetchJob, Origin } from './applier-jobs.js';
import { contentAtHand } from './content-at-hand.js';
import { decodeContent } from './decode-content.js';
import { detailOf, Incidents } from './incidents.js';
import type { InstallationPin } from './installation-pin.js';
import { recordOf } from './last-known-good.js';
import type { LastKnownGood, Restored, Running, VariantContent } from './last-known-good.js';
import { OwnIdentity } from './own-identity.js';
import { ReadNeed } from './read-need.js';
import { Refusals } from './refusals.js';
import { isForward, isNewer, isSameName, isTwin, newest } from './version-point.js';
import type { VersionPoint } from './version-point.js';
import { hashOf } from './hash-of.js';

export interface ApplierEnvironment {
  readonly address: AddressText;
  readonly sha256: Sha256;
  readonly installation: InstallationPin;
  readonly consumer: Omit<ConsumerIdentity, 'slot'>;
}

/**
 * Decides what one consumer runs at one address (DESIGN.md §4, Acceptance): no I/O, no clock, no
 * chance. Feed it inputs, carry out the effects in order, feed back their answers.
 *
 * Invariants: at most one job at a time; what runs only ever moves to a snapshot that
 * `judgeSnapshot` accepts over what was held, which is a newer one or the same as another cohort; a
 * snapshot runs only after its content was verified, validated and handed to be stored, and only if
 * that is still the variant of the consumer's cohort.
 */
export class Applier {
  readonly #env: ApplierEnvironment;
  #effects: ApplierEffect[] = [];
  readonly #self: OwnIdentity;
  /** What the next snapshot is judged against: what runs, or what the file holds. */
  #floor: HeldSnapshot | null = null;
  /** The file's record while nothing runs. */
  #restored: LastKnownGood | null = null;
  /** The file's record that came while a job was under way. */
  #late: LastKnownGood | null = null;
  /** What the file holds, once all is written that is on its way there. */
  #kept: HeldSnapshot | null = null;
  #settled = false;
  #running: Running | null = null;
  #job: FetchJob | ContentJob | null = null;
  #jobs = 0;
  /** The newest acceptable snapshot that waits for the job to end. */
  #next: Snapshot | null = null;
  readonly #refusals = new Refusals();
  #highest: VersionPoint | null = null;
  readonly #need = new ReadNeed();
  readonly #incidents = new Incidents();
  /** Why a content would be refused as whatever version it came; `null`: it may be tried. */
  readonly reasonAgainst = (hash: string) => this.#refusals.reasonAgainst(hash);

  constructor(environment: ApplierEnvironment) {
    this.#env = environment;
    this.#self = new OwnIdentity(environment.consumer);
  }

  /** The head of what runs. */
  get running(): HeldSnapshot | null {
    return this.#running?.head ?? null;
  }

  /** The newest that was refused, until something is applied over it. */
  get rejected(): Rejection | null {
    return this.#refusals.newest;
  }

  /** The newest that this process ever ran. */
  get highest(): VersionPoint | null {
    return this.#highest;
  }

  /** Whether the stream should be read again, later: it showed nothing, or less than is looked for. */
  get behind(): boolean {
    return this.#need.isBehind(this.#floor);
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
      case 'leased':
        return this.#lease(input.slot);
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
  #restore(record: Restored): void {
    const { address, head, refused } = record;
    if (address !== this.#env.address || !this.#admit(head.installation)) return;
    if (this.#running !== null) return;
    const wasHeard = this.#job !== null || this.#next !== null || this.rejected !== null;
    if (this.#job?.stage === 'fetching') this.#stepBack(this.#job);
    if (this.#self.restore(refused?.of ?? head)) this.#tryAgain();
    if (refused !== undefined) this.#bar(refused);
    if (this.#job !== null && isNewer(head, this.#job.head)) this.#job = null;
    if (this.#job !== null) {
      this.#late = record;
      return;
    }
    this.#keep(record);
    if (wasHeard || this.#settled) this.#proceed();
  }

  /** A snapshot is refused for the life of this process. */
  #bar(refused: NonNullable<Restored['refused']>): void {
    if (this.#job !== null && isSameName(this.#job.head, refused.of)) this.#job = null;
    this.#effects.push({ kind: 'reject', rejection: this.#refusals.bar(refused) });
  }

  /** What this process wrote already stays what the file holds. */
  #keep(record: LastKnownGood): void {
    this.#restored = record;
    this.#kept ??= record.head;
    this.#floor = record.head;
  }

  #lease(slot: number | null): void {
    if (!this.#self.lease(slot)) return;
    this.#tryAgain();
    const job = this.#job;
    if (job?.stage === 'fetching' && this.#self.hasLeft(job)) this.#redo(job);
    this.#rest();
  }

  /** The consumer is another one: the newest, if it was refused, may be for it what it was not before. */
  #tryAgain(): void {
    const { rejected } = this;
    if (rejected === null) return;
    this.#need.forgetSeen();
    this.#need.name(rejected, this.#floor);
    this.#effects.push({ kind: 'read', because: 'slot' });
  }

  /**
   * Nothing is under way: what runs is to be of the consumer as it is now, and what the file holds. Of
   * the same cohort it only is noted to be its own; else the variant of its cohort is run, if it can be.
   */
  #rest(): void {
    const running = this.#running;
    if (running === null || this.#job !== null) return;
    const { head, snapshot } = running;
    const isOwn = this.#self.holds(head);
    const isSame = snapshot !== null && this.#self.cohortIn(snapshot.releases) === cohortHeld(head);
    const now = isSame && !isOwn ? { ...head, identity: this.#self.value } : head;
    this.#floor = now;
    this.#running = { ...running, head: now };
    if (now !== this.#kept) this.#write(recordOf(this.#env.address, this.#running));
    if (isOwn || isSame) return;
    if (snapshot === null) {
      this.#need.lookAgain();
      this.#effects.push({ kind: 'read', because: 'slot' });
    } else if (!this.#knows(snapshot)) this.#judge(snapshot, { stored: false });
  }

  #write(record: LastKnownGood): number {
    const id = this.#nextJob();
    this.#kept = record.head;
    this.#effects.push({ kind: 'store', job: id, record });
    return id;
  }

  /** The snapshot of a job is judged again. */
  #redo(job: Candidate): void {
    this.#stepBack(job);
    this.#proceed();
  }

  #stepBack(job: Candidate): void {
    this.#next ??= job.snapshot;
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
    const message = this.#env.installation.describeForeign(installation);
    this.#report('foreign-installation', installation, message);
  }

  #name(point: VersionPoint, hash: string): void {
    if (this.#need.name(point, this.#floor) || this.#isConflict(point, hash)) {
      this.#effects.push({ kind: 'read', because: 'named' });
    }
  }

  /** Whether the version held is named with another hash, which nobody was told yet. */
  #isConflict({ generation, version }: VersionPoint, hash: string): boolean {
    const floor = this.#floor;
    return (
      floor !== null &&
      generation === floor.generation &&
      version === floor.version &&
      hash !== floor.hash &&
      !this.#incidents.has('version-conflict', detailOf(floor, hash))
    );
  }

  #read({ snapshot, text }: Extract<ApplierInput, { kind: 'read' }>): void {
    if (snapshot !== null) this.#offer(snapshot, { text, stored: true });
    const missing = this.#need.afterRead(this.#floor);
    if (missing === null) return;
    const { generation, version } = missing;
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
    if (!this.#knows(snapshot)) return this.#judge(snapshot, origin);
    if (!this.#verify(snapshot, origin.text)) return;
    this.#need.see(snapshot, this.#floor);
    this.#refusals.recall(snapshot, this.#self.cohortIn(snapshot.releases));
    if (this.#job === null && !this.behind) this.#runRestored();
  }

  #judge(snapshot: Snapshot, origin: Origin): void {
    const judgement = judgeSnapshot(this.#floor, snapshot, {
      installation: this.#env.installation.value,
      identity: this.#self.value,
    });
    if (judgement.kind === 'foreign') return this.#reportForeign(snapshot.installation);
    if (judgement.kind === 'same' || judgement.kind === 'older') {
      this.#need.see(snapshot, this.#floor);
      if (judgement.kind === 'same') this.#meetAgain(snapshot, origin.text);
      if (!this.behind) this.#runRestored();
      return;
    }
    if (!this.#verify(snapshot, origin.text)) return;
    this.#need.see(snapshot, this.#floor);
    if (judgement.kind === 'conflict') {
      this.#report('version-conflict', detailOf(snapshot, snapshot.hash), judgement.reason);
      return this.#runRestored();
    }
    if (judgement.kind === 'refuse') return this.#refuse(snapshot, judgement.reason);
    this.#env.installation.pin(snapshot.installation);
    this.#queue(snapshot, judgement.lowered, origin.stored);
  }

  /** What runs from the file arrived: from now on the variants of other cohorts are at hand. */
  #meetAgain(snapshot: Snapshot, text: string | undefined): void {
    const running = this.#running;
    if (running === null || running.snapshot !== null || !this.#verify(snapshot, text)) return;
    this.#running = { ...running, snapshot };
    this.#rest();
  }

  /** Whether exactly this snapshot is being worked on, waits, or was refused as what it would run as. */
  #knows(snapshot: Snapshot): boolean {
    const twins = [this.#job?.head, this.#next];
    if (twins.some((twin) => twin && isTwin(twin, snapshot))) return true;
    return this.#refusals.has(snapshot, this.#self.cohortIn(snapshot.releases));
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
    this.#reject({ ...snapshot, cohort: this.#self.cohortIn(snapshot.releases) }, reason);
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
    this.#need.forgetSeen();
    this.#need.see(stored, this.#floor);
    return true;
  }

  #begin(snapshot: Snapshot, lowered: boolean): void {
    this.#job = null;
    const head = heldBy(this.#self.value, snapshot);
    const candidate: Candidate = { head, lowered, snapshot };
    const kept = this.#restored?.content;
    const here = { running: this.#running, kept, refusals: this.#refusals };
    const there = contentAtHand(snapshot, cohortHeld(head), here, this.#env.sha256);
    switch (there.kind) {
      case 'absent':
        return this.#store(candidate, there.content, undefined);
      case 'here':
        return this.#validate(candidate, there.content, there.document);
      case 'wrong':
        return this.#refuse(snapshot, there.reason);
      case 'elsewhere':
        break;
    }
    const { hash, size } = there;
    const id = this.#nextJob();
    this.#job = { ...candidate, id, stage: 'fetching', snapshot, missing: false };
    this.#effects.push({ kind: 'fetch', job: id, version: head.version, hash, size });
  }

  #fetched(input: Extract<ApplierInput, { kind: 'fetched' }>): void {
    const job = this.#job;
    if (job === null || job.id !== input.job || job.stage !== 'fetching') return;
    this.#validate(job, input.content, input.document);
  }

  #validate(candidate: Candidate, content: VariantContent, document: JsonObject): void {
    const id = this.#nextJob();
    const { head, lowered, snapshot } = candidate;
    this.#job = { head, lowered, snapshot, id, stage: 'validating', content, document };
    this.#effects.push({ kind: 'validate', job: id, version: head.version, document });
  }

  #validated(jobId: number, failure: string | null): void {
    const job = this.#job;
    if (job === null || job.id !== jobId || job.stage !== 'validating') return;
    if (this.#self.hasLeft(job)) return this.#redo(job);
    if (failure !== null) {
      this.#job = null;
      if (job.snapshot === null) this.#restored = null;
      this.#reject(job.head, failure);
      return this.#proceed();
    }
    this.#store(job, job.content, job.document);
  }

  #store(candidate: Candidate, content: VariantContent, document: JsonObject | undefined): void {
    const { head, lowered, snapshot } = candidate;
    const id = this.#write({ address: this.#env.address, head, content });
    this.#job = { head, lowered, snapshot, id, stage: 'storing', content, document };
  }

  #stored(jobId: number): void {
    const job = this.#job;
    if (job === null || job.id !== jobId || job.stage !== 'storing') return;
    if (this.#self.hasLeft(job)) return this.#redo(job);
    this.#apply(job, job.content, job.document);
  }

  #apply(candidate: Candidate, content: VariantContent, document: JsonObject | undefined): void {
    const { head, lowered, snapshot } = candidate;
    const previous = this.#running?.head ?? null;
    assert(
      snapshot === null
        ? previous === null
        : isForward(head, newest(previous, this.#restored?.head ?? null)),
      'what runs only moves forward',
    );
    this.#job = null;
    this.#floor = head;
    this.#restored = null;
    const { hash, size, absent } = content;
    this.#running = { head, content: { hash, size, absent }, document, snapshot };
    const leftNewer = this.#refusals.applied(head, snapshot === null ? head : previous);
    this.#highest = newest(this.#highest, { generation: head.generation, version: head.version });
    this.#need.applied(head);
    // It may have been published: if it is named again it is to be read.
    if (leftNewer) this.#need.forgetSeen();
    const before = previous?.version ?? null;
    this.#effects.push({ kind: 'apply', head, document, previous: before, lowered });
    this.#proceed();
  }

  /** The job ended: take up what waits. */
  #proceed(): void {
    const late = this.#late;
    this.#late = null;
    if (late !== null && this.#running === null) this.#keep(late);
    const next = this.#next;
    this.#next = null;
    if (next !== null && !this.#knows(next)) this.#judge(next, { stored: false });
    this.#rest();
    const isNextRefused = this.#job === null && this.rejected !== null;
    if (this.#settled || isNextRefused) this.#runRestored();
  }

  /** Runs the file's record if nothing runs; a job that still waits for its content steps back. */
  #runRestored(): void {
    const restored = this.#restored;
    if (restored === null || this.#running !== null) return;
    if (this.#job !== null && this.#job.stage !== 'fetching') return;
    if (this.#job !== null) this.#stepBack(this.#job);
    const candidate: Candidate = { head: restored.head, lowered: false, snapshot: null };
    const { content } = restored;
    if (content.absent) return this.#store(candidate, content, undefined);
    const decoded = decodeContent(content.text, content, this.#env.sha256);
    if (decoded.ok) return this.#validate(candidate, decoded.content, decoded.document);
    this.#restored = null;
    this.#report('cache-corrupt', content.hash, `the file's content ${decoded.message}`);
    this.#proceed();
  }

  #reject(head: Pick<HeldSnapshot, 'hash' | 'cohort'> & VersionPoint, reason: string): void {
    this.#effects.push({ kind: 'reject', rejection: this.#refusals.add(head, reason) });
  }

  #nextJob(): number {
    this.#jobs += 1;
    return this.#jobs;
  }

  #report(code: PawlErrorCode, detail: string, message: string): void {
    if (this.#incidents.add(code, detail)) this.#effects.push({ kind: 'report', code, message });
  }
}
