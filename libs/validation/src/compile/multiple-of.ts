/** A double as the decimal fraction that JSON prints for it: `digits × 10^exponent`. */
interface Decimal {
  readonly digits: bigint;
  readonly exponent: number;
}

/**
 * Whether `value` is a whole multiple of `divisor`, both taken as the decimals they are written as:
 * 19.99 is a multiple of 0.01 although the quotient of the doubles is not whole.
 */
export function isMultipleOf(value: number, divisor: number): boolean {
  if (Number.isSafeInteger(value) && Number.isSafeInteger(divisor)) return value % divisor === 0;
  const dividend = decimalOf(value);
  const unit = decimalOf(divisor);
  const exponent = Math.min(dividend.exponent, unit.exponent);
  const scaled = (decimal: Decimal): bigint =>
    decimal.digits * 10n ** BigInt(decimal.exponent - exponent);
  return scaled(dividend) % scaled(unit) === 0n;
}

function decimalOf(value: number): Decimal {
  const [mantissa = '', power = '0'] = value.toExponential().split('e');
  const [whole = '', fraction = ''] = mantissa.split('.');
  return { digits: BigInt(whole + fraction), exponent: Number(power) - fraction.length };
}
