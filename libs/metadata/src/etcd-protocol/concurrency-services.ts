import type { MethodDefinition, ServiceDefinition } from '@grpc/grpc-js';
import protobuf from 'protobufjs';

/** A message by its fields: the number of each on the wire, and its type. */
type Fields = Readonly<Record<string, readonly [number: number, type: string]>>;

/** By its name: what it takes, what it answers, and whether it answers more than once. */
type Methods = Readonly<Record<string, readonly [string, string, 'stream'?]>>;

interface Package {
  readonly service: string;
  readonly methods: Methods;
  readonly messages: Readonly<Record<string, Fields>>;
}

const HEADER = [1, 'etcdserverpb.ResponseHeader'] as const;

/**
 * The wire protocol of etcd's two services of its concurrency API, which no package ships: names and
 * numbers as etcd documents them (https://etcd.io/docs/v3.4/dev-guide/api_concurrency_reference_v3/).
 */
const PACKAGES: Readonly<Record<string, Package>> = {
  v3lockpb: {
    service: 'Lock',
    methods: {
      Lock: ['LockRequest', 'LockResponse'],
      Unlock: ['UnlockRequest', 'UnlockResponse'],
    },
    messages: {
      LockRequest: { name: [1, 'bytes'], lease: [2, 'int64'] },
      LockResponse: { header: HEADER, key: [2, 'bytes'] },
      UnlockRequest: { key: [1, 'bytes'] },
      UnlockResponse: { header: HEADER },
    },
  },
  v3electionpb: {
    service: 'Election',
    methods: {
      Campaign: ['CampaignRequest', 'CampaignResponse'],
      Proclaim: ['ProclaimRequest', 'ProclaimResponse'],
      Leader: ['LeaderRequest', 'LeaderResponse'],
      Observe: ['LeaderRequest', 'LeaderResponse', 'stream'],
      Resign: ['ResignRequest', 'ResignResponse'],
    },
    messages: {
      LeaderKey: { name: [1, 'bytes'], key: [2, 'bytes'], rev: [3, 'int64'], lease: [4, 'int64'] },
      CampaignRequest: { name: [1, 'bytes'], lease: [2, 'int64'], value: [3, 'bytes'] },
      CampaignResponse: { header: HEADER, leader: [2, 'LeaderKey'] },
      LeaderRequest: { name: [1, 'bytes'] },
      LeaderResponse: { header: HEADER, kv: [2, 'mvccpb.KeyValue'] },
      ResignRequest: { leader: [1, 'LeaderKey'] },
      ResignResponse: { header: HEADER },
      ProclaimRequest: { leader: [1, 'LeaderKey'], value: [2, 'bytes'] },
      ProclaimResponse: { header: HEADER },
    },
  },
};

/**
 * Definitions of the services `v3lockpb.Lock` and `v3electionpb.Election`. `shared`: the file that
 * has the messages they share with the others; `form`: how messages are read, as proto-loader has it.
 */
export function concurrencyServices(
  shared: string,
  form: protobuf.IConversionOptions & protobuf.IParseOptions,
): Record<string, ServiceDefinition> {
  const root = new protobuf.Root().loadSync(shared, form);
  const services: Record<string, ServiceDefinition> = {};
  for (const [name, { service, methods, messages }] of Object.entries(PACKAGES)) {
    const scope = root.define(name);
    for (const [message, fields] of Object.entries(messages)) scope.add(typeOf(message, fields));
    const entries = Object.entries(methods).map(([method, [request, response, answers]]) => {
      const takes = codec(scope.lookupType(request), form);
      const gives = codec(scope.lookupType(response), form);
      const definition: MethodDefinition<object, object> = {
        path: `/${name}.${service}/${method}`,
        originalName: method.charAt(0).toLowerCase() + method.slice(1),
        requestStream: false,
        responseStream: answers === 'stream',
        requestSerialize: takes.write,
        requestDeserialize: takes.read,
        responseSerialize: gives.write,
        responseDeserialize: gives.read,
      };
      return [method, definition] as const;
    });
    services[`${name}.${service}`] = Object.fromEntries(entries);
  }
  return services;
}

function typeOf(name: string, fields: Fields): protobuf.Type {
  const type = new protobuf.Type(name);
  for (const [field, [number, of]] of Object.entries(fields)) {
    type.add(new protobuf.Field(field, number, of));
  }
  return type;
}

function codec(type: protobuf.Type, form: protobuf.IConversionOptions) {
  return {
    write: (message: object) => Buffer.from(type.encode(type.fromObject(message)).finish()),
    read: (bytes: Buffer): object => type.toObject(type.decode(bytes), form),
  };
}
