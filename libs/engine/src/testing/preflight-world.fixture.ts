import { address } from '@pawl/contracts';
import type {
  Hello,
  Outcome,
  PreflightRequest,
  PreflightView,
  Prepare,
  VoteItem,
} from '@pawl/contracts';
import { assert } from '@pawl/kernel';
import type { EngineWorld } from './engine-world.js';

/** What consumers of the workload `shop` under `acme` are asked, and how they answer. */
export class PreflightWorld {
  readonly asked: Prepare[] = [];
  #ids = 0;

  constructor(readonly world: EngineWorld) {
    world.publisher.onPrepare = (message) => this.asked.push(message);
  }

  /** An instance is heard; its process is named after it. */
  async live(consumerId: string, hello: Partial<Hello> = {}): Promise<void> {
    const runs = [{ address: 'acme/shop', generation: 1, version: 1 }];
    const whole = { format: 1, incarnation: `${consumerId}-1`, labels: {}, runs } as const;
    await this.world.use.hello(this.#ref(consumerId), { ...whole, build: 'b1', ...hello });
  }

  /** Answers the first question, unless told otherwise. */
  vote(consumerId: string, answer: Partial<VoteItem> = {}): void {
    const [first] = this.asked;
    assert(first !== undefined, 'somebody was asked');
    const { id, address: at, hash } = first;
    const items: VoteItem[] = [{ id, address: at, hash, verdict: 'accept', ...answer }];
    const vote = { format: 1, incarnation: `${consumerId}-1`, items } as const;
    this.world.use.vote(this.#ref(consumerId), vote);
  }

  preflight(at = 'acme/shop', request: PreflightRequest = {}): Promise<Outcome<PreflightView>> {
    return this.world.use.preflight(address(at), request, `p${(this.#ids += 1)}`);
  }

  async view(running: Promise<Outcome<PreflightView>>): Promise<PreflightView> {
    const outcome = await running;
    assert(outcome.ok, 'the preflight was made');
    return outcome.value;
  }

  #ref(consumerId: string): { root: string; workload: string; consumerId: string } {
    return { root: 'acme', workload: 'shop', consumerId };
  }
}
