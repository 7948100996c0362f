import { renderOperation } from './operation.js';
import { OPERATIONS } from './operations.js';
import { COMPONENT_SCHEMAS, type Schema } from './schemas.js';

/** Version of the REST API: the path says the major one. */
const API_VERSION = '1.0.0';

/** The OpenAPI 3.1 document of the REST API, built from the schemas of contracts. */
export function openApiDocument(): Schema {
  const paths: Record<string, Record<string, Schema>> = {};
  for (const operation of OPERATIONS) {
    paths[operation.path] ??= {};
    Object.assign(paths[operation.path] ?? {}, { [operation.method]: renderOperation(operation) });
  }
  return {
    openapi: '3.1.0',
    jsonSchemaDialect: 'https://json-schema.org/draft/2020-12/schema',
    info: {
      title: 'Pawl',
      version: API_VERSION,
      description: 'Rolls configuration out to fleets of services. Problems follow RFC 9457.',
    },
    servers: [{ url: '/' }],
    paths,
    components: { schemas: COMPONENT_SCHEMAS },
  };
}
