import { messageOf, mistake } from './errors.ts';

const stringify: (value: unknown) => string | undefined = JSON.stringify; // its own type hides the undefined

/** A payload as JSON text. Raises `invalid_arguments`, with the path, for what JSON cannot carry or would make `{}` or `null` of. */
export function payload(data: unknown): string {
  let text: string | undefined;
  let loss: string | undefined;
  try {
    text = stringify(data);
    loss = lossIn(data); // after JSON's own look: now it is known that there is no circle
  } catch (thrown) {
    throw mistake(`The data cannot be sent as JSON: ${messageOf(thrown)}`);
  }
  if (text === undefined || loss !== undefined) throw mistake(`The data cannot be sent as JSON: data${String(loss)}.`);
  return text;
}

/** Where JSON would lose something of the value, and what: `.items[2] is of the class Map`. Plain recursion, at half the cost of a replacer. */
function lossIn(value: unknown): string | undefined {
  if (typeof value === 'string' || typeof value === 'boolean' || value === null) return undefined;
  if (typeof value === 'number') return Number.isFinite(value) ? undefined : ` is ${String(value)}`;
  if (value === undefined) return ' is undefined';
  if (typeof value !== 'object') return ` is a ${typeof value}`;
  if (Array.isArray(value)) return lossInItems(value);
  if (typeof (value as { toJSON?: unknown }).toJSON === 'function') return value instanceof Date && isNaN(+value) ? ' is an invalid Date' : undefined;
  const names = Object.keys(value);
  if (!isPlain(value) && (names.length === 0 || Object.prototype.toString.call(value) !== '[object Object]')) return ` is of the class ${value.constructor.name}: send an array or a plain object`;
  for (const name of names) {
    const field = (value as Record<string, unknown>)[name];
    const loss = field === undefined ? field : lossIn(field); // an undefined field is left out, as everywhere
    if (loss !== undefined) return `.${name}${loss}`;
  }
  return undefined;
}

function lossInItems(items: readonly unknown[]): string | undefined {
  for (let index = 0; index < items.length; index++) {
    const loss = lossIn(items[index]);
    if (loss !== undefined) return `[${String(index)}]${loss}`;
  }
  return undefined;
}

/** Whether the object's prototype is that of objects, of any realm, or none. */
function isPlain(value: object): boolean {
  const prototype = Object.getPrototypeOf(value) as object | null;
  return prototype === Object.prototype || prototype === null || Object.getPrototypeOf(prototype) === null;
}
