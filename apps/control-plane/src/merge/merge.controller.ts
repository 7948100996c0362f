import { Controller, HttpCode, Inject, Post, Req, Res } from '@nestjs/common';
import {
  mergeRequestSchema,
  type Address,
  type JsonValue,
  type MergeRequest,
  type MergeView,
  type Outcome,
  type SourceChange,
  type WrittenView,
} from '@pawl/contracts';
import { readSourceChange, type ConfigEngine, type Written } from '@pawl/engine';
import { ProblemException } from '@pawl/platform';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { send, valueOf } from '../http/answers.js';
import { LARGE_BODY_BYTES } from '../http/body-gate.js';
import { bodyShape } from '../http/body-shape.js';
import { isLargerThan } from '../http/is-larger-than.js';
import { JSON_TYPE, readJson } from '../http/json-body.js';
import { workOnBody } from '../http/raw-body.js';
import { addressOf } from '../http/request-address.js';
import { lookedUpPrecondition, sendDefinition, writeOptions } from '../http/write-definition.js';
import { CONFIG_ENGINE, SERVES_ROOT, type ServesRoot } from '../tokens.js';

const asMergeRequest = bodyShape<MergeRequest>(mergeRequestSchema);

/** Each holds the documents of two versions while it waits for their owner and for its turn. */
const MAX_UNDER_WAY = 8;

/** What changed at one address, merged onto another: `/v1/merge/{address}`. */
@Controller('v1/merge')
export class MergeController {
  #underWay = 0;

  constructor(
    @Inject(CONFIG_ENGINE) private readonly engine: ConfigEngine,
    @Inject(SERVES_ROOT) private readonly serves: ServesRoot,
  ) {}

  @Post('*')
  @HttpCode(200)
  async merge(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const address = addressOf(request, 'merge');
    const lookedUp = await lookedUpPrecondition(request, this.engine, address);
    const { options, wanted } = await workOnBody(request, async () => {
      const how = { types: [JSON_TYPE], numbers: 'exact', address: address.text } as const;
      const body = readJson(request, reply, how);
      return {
        options: writeOptions(request, { address, body: body.text, lookedUp }),
        wanted: asMergeRequest(body.value, address),
      };
    });
    if (this.#underWay >= MAX_UNDER_WAY) {
      throw ProblemException.of('too-many-requests', 'Too many merges are under way; try again.');
    }
    this.#underWay += 1;
    try {
      // Nothing that others wait for is held while the source is read, which may be another node's.
      const change = valueOf(await readSourceChange(this.engine, address, wanted));
      const isLarge = await this.#isLarge(address, change);
      if (wanted.dryRun === true) {
        const plan = (away: () => void): Promise<Outcome<MergeView>> =>
          this.engine.planMerge(address, change, away);
        send(reply, valueOf(await workOnBody(request, plan, isLarge)));
        return;
      }
      const write = (away: () => void): Promise<Outcome<Written<WrittenView>>> =>
        this.engine.mergeConfig({ ...options, away }, change);
      sendDefinition(reply, 'config', await workOnBody(request, write, isLarge));
    } finally {
      this.#underWay -= 1;
    }
  }

  /** A small request about large documents is as much work as they are, where it is done. */
  async #isLarge(address: Address, { base, theirs }: SourceChange): Promise<boolean> {
    const isLarge = (value: unknown): boolean =>
      value !== undefined && isLargerThan(value as JsonValue, LARGE_BODY_BYTES);
    if ([base.document, base.schema, theirs.document, theirs.schema].some(isLarge)) return true;
    if (!this.serves(address.root)) return false;
    const newest = await this.engine.getConfig(address);
    return newest.ok && isLarge(newest.value.document);
  }
}
