import { Controller, Get, Inject, Req, Res } from '@nestjs/common';
import { parseAddress, type Address, type DiffView, type Outcome } from '@pawl/contracts';
import { diffAcross, diffEffective, type ConfigEngine, type DiffSide } from '@pawl/engine';
import { ProblemException } from '@pawl/platform';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { send, valueOf } from '../http/answers.js';
import { Query } from '../http/query.js';
import { addressOf } from '../http/request-address.js';
import { timeOf } from '../http/time-of.js';
import { CONFIG_ENGINE } from '../tokens.js';

interface Sides {
  readonly from: number | undefined;
  readonly to: number | undefined;
  readonly isEffective: boolean;
}

/** What happened: `/v1/history/{address}`, `/v1/diff/{address}`, `/v1/audit`, `/v1/changes`. */
@Controller('v1')
export class HistoryController {
  constructor(@Inject(CONFIG_ENGINE) private readonly engine: ConfigEngine) {}

  @Get('history/*')
  async history(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const address = addressOf(request, 'history');
    const page = new Query(request, ['limit', 'cursor']).page();
    send(reply, valueOf(await this.engine.listHistory(address, page)));
  }

  @Get('diff/*')
  async diff(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const address = addressOf(request, 'diff');
    const query = new Query(request, ['from', 'to', 'with', 'effective']);
    const [from, to] = [query.version('from'), query.version('to')];
    const other = query.raw('with');
    const isEffective = query.flag('effective');
    if (other !== undefined) {
      const sides = { from, to, isEffective };
      send(reply, valueOf(await this.#across(address, asAddress(other), sides)));
      return;
    }
    if (isEffective) throw refuse('?effective= takes ?with= another address.');
    if (from === undefined || to === undefined) {
      throw ProblemException.of(
        'malformed-request',
        'A diff is between two definition versions; add ?from=1&to=2, or ?with= another address.',
      );
    }
    send(reply, valueOf(await this.engine.diff(address, from, to)));
  }

  #across(address: Address, other: Address, sides: Sides): Promise<Outcome<DiffView>> {
    const { from, to, isEffective } = sides;
    if (!isEffective) {
      return diffAcross(this.engine, sideOf(address, from), sideOf(other, to));
    }
    if (from !== undefined || to !== undefined) {
      throw refuse('?effective= compares what is read now: leave ?from= and ?to= out.');
    }
    return diffEffective(this.engine, address, other);
  }

  @Get(['audit', 'changes'])
  async audit(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const query = new Query(request, ['since', 'limit', 'cursor']);
    send(
      reply,
      valueOf(await this.engine.listAudit({ ...query.page(), ...timeOf(query, 'since') })),
    );
  }
}

function sideOf(address: Address, version: number | undefined): DiffSide {
  return version === undefined ? { address } : { address, version };
}

function asAddress(text: string): Address {
  const parsed = parseAddress(text);
  if (parsed.ok) return parsed.address;
  throw ProblemException.of('malformed-address', `?with= takes an address: ${parsed.message}.`);
}

function refuse(detail: string): ProblemException {
  return ProblemException.of('malformed-request', detail);
}
