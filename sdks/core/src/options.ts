import { mistake } from './errors.ts';
import { isRecord } from './frames.ts';

/** What `typeof` says of each option; '' for one that is looked at elsewhere. */
export type OptionTypes<T> = Readonly<Record<keyof T & string, string>>;

/** The options of a method. Raises `invalid_arguments` for an unknown one, and for one of a wrong type; the sentence names it. */
export function optionsOf<T extends object>(method: string, options: T, types: OptionTypes<T>): T {
  const names = Object.keys(types).join(', ');
  if (!isRecord(options)) throw mistake(`${method} takes an object of these options: ${names}.`);
  for (const [name, value] of Object.entries(options)) {
    if (!Object.hasOwn(types, name)) throw mistake(`${method} has no option '${name}', but these: ${names}.`);
    const type = types[name as keyof T & string];
    if (value !== undefined && type && (typeof value !== type || value === null)) throw mistake(`The option ${name} of ${method} is of the type ${type}.`);
  }
  return options;
}
