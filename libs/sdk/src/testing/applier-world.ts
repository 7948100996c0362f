import { canonicalize } from '@pawl/contracts';
import type { JsonObject } from '@pawl/contracts';
import { sha256 } from '@pawl/contracts/node';
import { Applier, decodeContent, InstallationPin } from '../applier/index.js';
import type {
  ApplierEffect,
  ApplierInput,
  ApplyEffect,
  LastKnownGood,
  Rejection,
} from '../applier/index.js';
import { ADDRESS } from './make-snapshot.js';

/**
 * One consumer around the bare applier: a process that can be restarted, a disk that keeps what was
 * stored, and effects that wait until the test answers them.
 */
export class ApplierWorld {
  applier: Applier;
  disk: LastKnownGood | null = null;
  /** What the disk held when this process started, and has not told yet. */
  late: LastKnownGood | null = null;
  readonly contents = new Map<string, string>();
  readonly applied: ApplyEffect[] = [];
  readonly rejections: Rejection[] = [];
  readonly reports: string[] = [];
  /** Of processes that start from now on. */
  labels: Readonly<Record<string, string>> = {};
  reads = 0;
  /** The newest record that was written: the disk is written in order. */
  #written = 0;
  waiting: Extract<ApplierEffect, { job: number }>[] = [];
  refuses: (document: JsonObject, version: number) => string | null = () => null;

  constructor() {
    this.applier = this.#boot();
  }

  /** The process dies; a new one finds what is on the disk, at once or when that answers. */
  restart(disk: 'answers' | 'is late' = 'answers'): void {
    this.waiting = [];
    this.applied.length = 0;
    this.rejections.length = 0;
    this.#written = 0;
    this.applier = this.#boot();
    this.late = this.disk;
    if (disk === 'answers') this.answerDisk();
  }

  answerDisk(): void {
    const record = this.late;
    this.late = null;
    if (record !== null) this.give({ kind: 'restored', record });
  }

  keep(document: JsonObject): void {
    const text = canonicalize(document);
    this.contents.set(sha256(text), text);
  }

  /** Feeds one input; effects that need an answer wait. */
  give(input: ApplierInput): void {
    for (const effect of this.applier.step(input)) {
      if (effect.kind === 'apply') this.applied.push(effect);
      else if (effect.kind === 'reject') this.rejections.push(effect.rejection);
      else if (effect.kind === 'report') this.reports.push(effect.code);
      else if (effect.kind === 'read') this.reads += 1;
      else this.waiting.push(effect);
    }
  }

  /** Answers the waiting effect at `index`; a fetch of a content that is not there stays unanswered. */
  answer(index: number): void {
    const [effect] = this.waiting.splice(index, 1);
    if (effect === undefined) return;
    if (effect.kind === 'validate') {
      const failure = this.refuses(effect.document, effect.version);
      this.give({ kind: 'validated', job: effect.job, failure });
    } else if (effect.kind === 'store') {
      if (effect.job > this.#written) {
        this.#written = effect.job;
        this.disk = effect.record;
      }
      this.give({ kind: 'stored', job: effect.job });
    } else {
      const decoded = decodeContent(this.contents.get(effect.hash) ?? '', effect, sha256);
      if (decoded.ok) this.give({ kind: 'fetched', job: effect.job, ...decoded });
    }
  }

  /** Answers everything, also what the answers lead to. */
  settle(): void {
    while (this.waiting.length > 0) this.answer(0);
  }

  #boot(): Applier {
    const installation = new InstallationPin('main');
    const consumer = { workload: 'checkout', labels: this.labels };
    return new Applier({ address: ADDRESS as never, sha256, installation, consumer });
  }
}
