import { Controller, Delete, Get, Inject, Put, Req, Res } from '@nestjs/common';
import type { Outcome, WrittenView } from '@pawl/contracts';
import type { ConfigEngine, Written } from '@pawl/engine';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { sendVersioned, valueOf } from '../http/answers.js';
import { JSON_TYPE, readJson } from '../http/json-body.js';
import { Query } from '../http/query.js';
import { workOnBody } from '../http/raw-body.js';
import { addressOf } from '../http/request-address.js';
import { lookedUpPrecondition, sendDefinition, writeOptions } from '../http/write-definition.js';
import { CONFIG_ENGINE } from '../tokens.js';

/** JSON Schemas: `/v1/schema/{address}`. */
@Controller('v1/schema')
export class SchemaController {
  constructor(@Inject(CONFIG_ENGINE) private readonly engine: ConfigEngine) {}

  @Put('*')
  async put(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const address = addressOf(request, 'schema');
    const lookedUp = await lookedUpPrecondition(request, this.engine, address);
    const put = async (away: () => void): Promise<Outcome<Written<WrittenView>>> => {
      const body = readJson(request, reply, {
        types: [JSON_TYPE, 'application/schema+json'],
        numbers: 'double',
        address: address.text,
      });
      const options = writeOptions(request, { address, body: body.text, lookedUp });
      return this.engine.putSchema({ ...options, away }, body.value);
    };
    sendDefinition(reply, 'schema', await workOnBody(request, put));
  }

  @Get('*')
  async get(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const address = addressOf(request, 'schema');
    const wanted = new Query(request, ['version']).version('version');
    const { version, schema } = valueOf(await this.engine.getSchema(address, wanted));
    sendVersioned(request, reply, { version, body: schema });
  }

  @Delete('*')
  async delete(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const address = addressOf(request, 'schema');
    const lookedUp = await lookedUpPrecondition(request, this.engine, address);
    const options = writeOptions(request, { address, body: '', lookedUp });
    sendDefinition(reply, 'schema', await this.engine.deleteSchema(options));
  }
}
