import { Controller, Get, Inject, Req, Res } from '@nestjs/common';
import {
  CONSUMER_STATES,
  PAST_STATES,
  type Address,
  type ConsumersThen,
  type ConsumerState,
  type PastState,
} from '@pawl/contracts';
import type { ConfigEngine, PastQuery } from '@pawl/engine';
import { ProblemException } from '@pawl/platform';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { send, valueOf } from '../http/answers.js';
import { Query } from '../http/query.js';
import { addressOf } from '../http/request-address.js';
import { timeOf } from '../http/time-of.js';
import { CONFIG_ENGINE } from '../tokens.js';

const STATE = new RegExp(`^(${CONSUMER_STATES.join('|')})$`);
const PAST_STATE = new RegExp(`^(${PAST_STATES.join('|')})$`);
const IDENTITY = /^[A-Za-z0-9_-]{1,128}$/;
const IDENTITY_EXPECTS = 'letters, digits, _ and -';
/** Only of a time. */
const OF_PAST = ['workload', 'consumerId'] as const;

type Time = { readonly at: string } | { readonly withinMs: number };

/** Who consumes an address and what they run, or ran at a time: `/v1/consumers/{address}`. */
@Controller('v1/consumers')
export class ConsumersController {
  constructor(@Inject(CONFIG_ENGINE) private readonly engine: ConfigEngine) {}

  @Get('*')
  async list(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const address = addressOf(request, 'consumers');
    const query = new Query(request, ['at', 'state', ...OF_PAST, 'limit', 'cursor']);
    const time = timeOf(query, 'at');
    if (time !== undefined) {
      send(reply, await this.#then(address, query, time));
      return;
    }
    for (const name of OF_PAST) {
      if (query.raw(name) === undefined) continue;
      const detail = `?${name}= is taken with ?at= only.`;
      throw ProblemException.of('malformed-request', detail);
    }
    const state = query.text('state', STATE, CONSUMER_STATES.join(', ')) as
      ConsumerState | undefined;
    const outcome = await this.engine.listConsumers(address, {
      ...query.page(),
      ...(state === undefined ? {} : { state }),
    });
    send(reply, valueOf(outcome));
  }

  async #then(address: Address, query: Query, time: Time): Promise<ConsumersThen> {
    const state = query.text('state', PAST_STATE, PAST_STATES.join(', ')) as PastState | undefined;
    const workload = query.text('workload', IDENTITY, IDENTITY_EXPECTS);
    const consumerId = query.text('consumerId', IDENTITY, IDENTITY_EXPECTS);
    const asked: PastQuery = {
      ...query.page(),
      ...time,
      ...(state === undefined ? {} : { state }),
      ...(workload === undefined ? {} : { workload }),
      ...(consumerId === undefined ? {} : { consumerId }),
    };
    return valueOf(await this.engine.consumersThen(address, asked));
  }
}
