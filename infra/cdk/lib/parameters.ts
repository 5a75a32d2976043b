/** The parameters of the template: which there are, and what each may be. */

import { readFileSync } from 'node:fs';
import { parse } from 'yaml';

/** A parameter as the template declares it. */
export interface Parameter {
  readonly Type: 'String' | 'Number' | 'CommaDelimitedList';
  readonly Default?: string | number;
  readonly AllowedValues?: readonly (string | number)[];
  readonly AllowedPattern?: string;
  readonly ConstraintDescription?: string;
  readonly MinValue?: number;
  readonly MaxValue?: number;
  readonly NoEcho?: boolean;
}

/** Where a password may stand, at which nobody shall look. */
const USER_IN_URL = /:\/\/[^/]*@/;

/** Reads the declarations. CloudFormation's own tags stand in other sections alone. */
export function parametersOf(template: string): Readonly<Record<string, Parameter>> {
  // Unknown tags (`!Ref`) are resolved to their plain values, with a warning that nobody needs.
  return parse(readFileSync(template, 'utf8'), { logLevel: 'error' }).Parameters;
}

/**
 * All values, the given ones and the defaults of the others, as CloudFormation takes them.
 *
 * CloudFormation would check them at deployment only if they stayed parameters of the stack; but
 * `cdk deploy` keeps the former value of a parameter whose default has changed.
 *
 * @throws Error naming the parameter and what it may be.
 */
export function settle(
  declared: Readonly<Record<string, Parameter>>,
  given: Readonly<Record<string, string | undefined>>,
): Record<string, string | string[]> {
  const settled: Record<string, string | string[]> = {};
  for (const [name, parameter] of Object.entries(declared)) {
    const value = given[name] ?? String(parameter.Default ?? '');
    const complaint = complaintAbout(value, parameter);
    if (complaint) {
      const shown = parameter.NoEcho || USER_IN_URL.test(value) ? '' : ` "${value}"`;
      throw new Error(`Callboard: ${name}${shown} is not allowed: ${complaint}`);
    }
    settled[name] = parameter.Type === 'CommaDelimitedList' ? value.split(',') : value;
  }
  return settled;
}

function complaintAbout(value: string, parameter: Parameter): string | undefined {
  // A value that only deployment knows (another stack's output, a secret) is checked by nobody here.
  if (value.includes('${Token[')) return undefined;
  const { AllowedValues, AllowedPattern, MinValue, MaxValue } = parameter;
  if (AllowedValues && !AllowedValues.map(String).includes(value)) {
    return `expected one of ${AllowedValues.join(', ')}`;
  }
  if (AllowedPattern && !new RegExp(AllowedPattern).test(value)) {
    return `expected ${parameter.ConstraintDescription ?? AllowedPattern}`;
  }
  if (parameter.Type === 'Number') {
    const number = Number(value);
    const least = MinValue ?? -Infinity;
    const most = MaxValue ?? Infinity;
    if (!Number.isInteger(number) || number < least || number > most) {
      return `expected a whole number from ${least} to ${most}`;
    }
  }
  return undefined;
}
