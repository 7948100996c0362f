import { LIMITS, type JsonValue } from '@pawl/contracts';
import { compileShape } from '@pawl/contracts/validate';
import { ProblemException } from '@pawl/platform';

/** A judge of request bodies by a schema of contracts; what does not fit is `malformed-request`. */
export function bodyShape<T>(
  schema: object,
): (value: JsonValue, address: { readonly text: string }) => T {
  const judge = compileShape(schema);
  return (value, address) => {
    const found = judge(value);
    if (found.length === 0) return value as T;
    throw ProblemException.of('malformed-request', 'The body is not what this call takes.', {
      errors: found.slice(0, LIMITS.errors).map(({ pointer, keyword, message }) => ({
        address: address.text,
        pointer,
        keyword,
        message,
      })),
    });
  };
}
