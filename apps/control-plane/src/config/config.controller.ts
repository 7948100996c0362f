import { Controller, Get, Inject, Patch, Put, Req, Res } from '@nestjs/common';
import type { ConfigEngine, PatchKind } from '@pawl/engine';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { sendVersioned, valueOf } from '../http/answers.js';
import { JSON_PATCH_TYPE, JSON_TYPE, MERGE_PATCH_TYPE, readJson } from '../http/json-body.js';
import { Query } from '../http/query.js';
import { addressOf } from '../http/request-address.js';
import { sendDefinition, writeOptions } from '../http/write-definition.js';
import { CONFIG_ENGINE } from '../tokens.js';

const PATCH_KINDS: Readonly<Record<string, PatchKind>> = {
  [MERGE_PATCH_TYPE]: 'merge-patch',
  [JSON_PATCH_TYPE]: 'json-patch',
};

/** Documents: `/v1/config/{address}`. */
@Controller('v1/config')
export class ConfigController {
  constructor(@Inject(CONFIG_ENGINE) private readonly engine: ConfigEngine) {}

  @Put('*')
  async put(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const address = addressOf(request, 'config');
    const body = readJson(request, reply, {
      types: [JSON_TYPE],
      numbers: 'exact',
      address: address.text,
    });
    const options = await writeOptions(request, this.engine, { address, body: body.text });
    sendDefinition(reply, 'config', await this.engine.putConfig(options, body.value));
  }

  @Patch('*')
  async patch(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const address = addressOf(request, 'config');
    const body = readJson(request, reply, {
      types: [MERGE_PATCH_TYPE, JSON_PATCH_TYPE],
      numbers: 'exact',
      address: address.text,
    });
    const options = await writeOptions(request, this.engine, { address, body: body.text });
    const kind = PATCH_KINDS[body.type] ?? 'merge-patch';
    sendDefinition(reply, 'config', await this.engine.patchConfig(options, kind, body.value));
  }

  @Get('*')
  async get(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const address = addressOf(request, 'config');
    const version = new Query(request, ['version']).version('version');
    const view = valueOf(await this.engine.getConfig(address, version));
    sendVersioned(request, reply, { version: view.version, body: view });
  }
}
