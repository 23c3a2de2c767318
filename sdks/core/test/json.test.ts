// What may be sent: nothing that would arrive as `{}` or `null` without being that.
import { createContext, runInContext } from 'node:vm';
import { expect, test } from 'vitest';
import { GluerError } from '../src/errors.ts';
import { payload } from '../src/json.ts';

class Price { readonly amount = 5; }
class Secret { readonly #amount = 5; get amount(): number { return this.#amount; } }
const circle: unknown[] = [];
circle.push(circle);

test.for<[string, unknown]>([
  ['data is undefined', undefined],
  ['data is a function', () => 1],
  ['data is NaN', NaN],
  ['data.price is Infinity', { price: Infinity }],
  ['data.prices[1] is NaN', { prices: [1, NaN] }],
  ['data[1] is undefined', [1, undefined]],
  ['data[0] is undefined', new Array<unknown>(1)],
  ['data.done is a function', { number: 1, done: () => 1 }],
  ['data.kind is a symbol', { kind: Symbol('x') }],
  ['data.when is an invalid Date', { when: new Date(NaN) }],
  ['data.items[2].seen is of the class Map', { items: [1, 2, { seen: new Map([[1, 2]]) }] }],
  ['data is of the class Set', new Set([1])],
  ['data is of the class Blob', new Blob(['x'])],
  ['data is of the class Uint8Array', new Uint8Array(2)],
  ['data is of the class ArrayBuffer', new ArrayBuffer(2)],
  ['data is of the class DataView', new DataView(new ArrayBuffer(2))],
  ['data is of the class RegExp', /x/],
  ['data.error is of the class TypeError', { error: Object.assign(new TypeError('x'), { code: 'ENOENT' }) }],
  ['data.late is of the class Promise', { late: Promise.resolve(1) }],
  ['data is of the class Secret', new Secret()],
  ['data is of the class Map', runInContext('new Map()', createContext())],
  ['BigInt', 5n],
  ['circular', circle],
])('%s: refused', ([sentence, data]) => {
  expect(() => payload(data)).toThrow(GluerError);
  expect(() => payload(data)).toThrow(sentence);
  expect(() => payload(data)).toThrow(expect.objectContaining({ code: 'invalid_arguments' }) as Error);
});

test.for<[string, unknown, string]>([
  ['what JSON has', { a: [1, 'x', true, null, {}, []], b: { c: -0.5 } }, '{"a":[1,"x",true,null,{},[]],"b":{"c":-0.5}}'],
  ['an undefined field, which is left out', { a: undefined, b: 1 }, '{"b":1}'],
  ['an object without a prototype', Object.assign(Object.create(null) as object, { a: 1 }), '{"a":1}'],
  ['an object of another realm', runInContext('({ a: {}, b: [] })', createContext()), '{"a":{},"b":[]}'],
  ['an instance with fields', new Price(), '{"amount":5}'],
  ['a Date', new Date(0), '"1970-01-01T00:00:00.000Z"'],
  ['what has toJSON', { price: { toJSON: () => 5 } }, '{"price":5}'],
  ['a URL', new URL('http://h/'), '"http://h/"'],
])('%s: sent', ([, data, text]) => {
  expect(payload(data)).toBe(text);
});

test('what is nested too deep for the stack is refused, and nothing else happens', () => {
  let deep: unknown = 1;
  for (let n = 0; n < 100_000; n++) deep = [deep];
  expect(() => payload(deep)).toThrow(GluerError);
});
