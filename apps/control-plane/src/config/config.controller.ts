import { Controller, Get, Inject, Patch, Put, Req, Res } from '@nestjs/common';
import type { Address, JsonValue, Outcome, WrittenView } from '@pawl/contracts';
import type { ConfigEngine, PatchKind, Written } from '@pawl/engine';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { sendVersioned, valueOf } from '../http/answers.js';
import { LARGE_BODY_BYTES } from '../http/body-gate.js';
import { isLargerThan } from '../http/is-larger-than.js';
import {
  bodyType,
  JSON_PATCH_TYPE,
  JSON_TYPE,
  MERGE_PATCH_TYPE,
  readJson,
} from '../http/json-body.js';
import { Query } from '../http/query.js';
import { workOnBody } from '../http/raw-body.js';
import { addressOf } from '../http/request-address.js';
import { lookedUpPrecondition, sendDefinition, writeOptions } from '../http/write-definition.js';
import { CONFIG_ENGINE, SERVES_ROOT, type ServesRoot } from '../tokens.js';

const PATCH_KINDS: Readonly<Record<string, PatchKind>> = {
  [MERGE_PATCH_TYPE]: 'merge-patch',
  [JSON_PATCH_TYPE]: 'json-patch',
};

/** Documents: `/v1/config/{address}`. */
@Controller('v1/config')
export class ConfigController {
  constructor(
    @Inject(CONFIG_ENGINE) private readonly engine: ConfigEngine,
    @Inject(SERVES_ROOT) private readonly serves: ServesRoot,
  ) {}

  @Put('*')
  async put(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const address = addressOf(request, 'config');
    const lookedUp = await lookedUpPrecondition(request, this.engine, address);
    const put = async (away: () => void): Promise<Outcome<Written<WrittenView>>> => {
      const body = readJson(request, reply, {
        types: [JSON_TYPE],
        numbers: 'exact',
        address: address.text,
      });
      const options = writeOptions(request, { address, body: body.text, lookedUp });
      return this.engine.putConfig({ ...options, away }, body.value);
    };
    sendDefinition(reply, 'config', await workOnBody(request, put));
  }

  @Patch('*')
  async patch(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const address = addressOf(request, 'config');
    const types = Object.keys(PATCH_KINDS);
    const kind = PATCH_KINDS[bodyType(request, reply, types)] ?? 'merge-patch';
    const lookedUp = await lookedUpPrecondition(request, this.engine, address);
    const patch = async (away: () => void): Promise<Outcome<Written<WrittenView>>> => {
      const body = readJson(request, reply, { types, numbers: 'exact', address: address.text });
      const options = writeOptions(request, { address, body: body.text, lookedUp });
      return this.engine.patchConfig({ ...options, away }, kind, body.value);
    };
    const isLarge = await this.#isLarge(address);
    sendDefinition(reply, 'config', await workOnBody(request, patch, isLarge));
  }

  @Get('*')
  async get(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const address = addressOf(request, 'config');
    const version = new Query(request, ['version']).version('version');
    const view = valueOf(await this.engine.getConfig(address, version));
    sendVersioned(request, reply, { version: view.version, body: view });
  }

  /** A small patch of a large document is as much work as the document, where it is done. */
  async #isLarge(address: Address): Promise<boolean> {
    if (!this.serves(address.root)) return false;
    const newest = await this.engine.getConfig(address);
    return newest.ok && isLargerThan(newest.value.document as JsonValue, LARGE_BODY_BYTES);
  }
}
