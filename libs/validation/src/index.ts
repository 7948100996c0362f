export { ValidatorClosedError } from './pool/worker-pool.js';
export {
  createSchemaValidator,
  type CutOffOutcome,
  type SchemaValidatorOptions,
  SchemaUnusableError,
} from './schema-validator.js';
