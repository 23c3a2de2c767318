// What register_object offers: what the program wrote, and nothing that came along.
import { AsyncLocalStorage } from 'node:async_hooks';
import { EventEmitter } from 'node:events';
import { Agent } from 'node:http';
import { Readable, Transform } from 'node:stream';
import { inherits } from 'node:util';
import { createContext, runInContext } from 'node:vm';
import { expect, test } from 'vitest';
import { methodsOf } from '../src/methods.ts';

const names = (object: object): string[] => methodsOf(object).map(([name]) => name).sort();

test.for<[string, new () => object]>([
  ['EventEmitter', EventEmitter],
  ['Readable', Readable],
  ['Transform', Transform],
  ['Agent', Agent],
  ['AsyncLocalStorage', AsyncLocalStorage],
  ['EventTarget', EventTarget],
  ['AbortController', AbortController],
  ['URLSearchParams', URLSearchParams],
  ['Map', Map], ['Set', Set], ['Array', Array], ['Error', Error], ['Promise', class extends Promise<void> { constructor() { super(() => undefined); } }],
  ['Object', Object],
])('a class of the program that extends %s offers its own methods only', ([, Base]) => {
  class Middle extends Base { greet(): string { return 'hello'; } }
  class Shop extends Middle { add(): number { return 8; } }
  expect(names(new Shop())).toEqual(['add', 'greet']);
  expect(names(new Base()).filter((name) => !Object.hasOwn(new Base(), name))).toEqual([]);
});

test('classes without `class` count as well', () => {
  function Shop(this: object): void { EventEmitter.call(this as EventEmitter); }
  inherits(Shop, EventEmitter);
  (Shop.prototype as Record<string, unknown>)['add'] = () => 8;
  expect(names(new (Shop as unknown as new () => object)())).toEqual(['add']);
  expect(names(Object.create({ add: () => 8 }) as object)).toEqual(['add']);
  expect(names(Object.assign(Object.create(null) as object, { add: () => 8 }))).toEqual(['add']);
});

test("methods of Node's classes that were copied into an object stay out", () => {
  expect(names(Object.assign({ add: () => 8 }, EventEmitter.prototype))).toEqual(['add']);
});

test('an object of another realm offers its own methods only', () => {
  expect(names(runInContext('new (class extends Map { add() { return 8; } })()', createContext()) as object)).toEqual(['add']);
});

test('no getter is run, not even one that hides a method', () => {
  class Base { trap(): number { return 1; } }
  class Shop extends Base { add(): number { return 8; } }
  const shop = Object.defineProperties(new Shop(), { trap: { get() { throw new Error('a getter was run'); } }, other: { enumerable: true, get() { throw new Error('a getter was run'); } } });
  expect(names(shop)).toEqual(['add']);
});

test('private names, symbols and the constructor stay out', () => {
  class Shop {
    #stock = 8;
    add(): number { return this.#hidden(); }
    #hidden(): number { return this.#stock; }
    _private(): void { /* not offered */ }
    [Symbol.iterator](): void { /* not offered */ }
    static make(): Shop { return new Shop(); }
  }
  expect(names(new Shop())).toEqual(['add']);
  expect(methodsOf(new Shop())[0]![1](undefined, undefined as never)).toBe(8);
});
