import type { Header } from '../../core/src/context.ts';
import { GluerError, mistake } from '../../core/src/errors.ts';
import { isRecord } from '../../core/src/frames.ts';
import { checkPlugin } from './functions.ts';

/**
 * Sees a plugin's calls and sends before its functions do. `true` lets one through, `false` rejects it, a throw becomes the
 * caller's error. Other data (an object, a list, a string, a number, null) takes the place of the call's; `true`, `false`
 * and `undefined` themselves do as `{data: true}` and so on. Anything else is a mistake, and the call is refused.
 */
export type Interceptor = (data: any, header: Header) => unknown; // eslint-disable-line @typescript-eslint/no-explicit-any -- the function's own type, which only the program knows

/** At most one interceptor for each plugin. */
export class Interceptors {
  readonly #interceptors = new Map<string, Interceptor>();

  set(plugin: string, interceptor: Interceptor): void {
    if (typeof interceptor !== 'function') throw mistake(`register_interceptor('${plugin}', fn) needs a function.`);
    this.#interceptors.set(checkPlugin(plugin), interceptor);
  }

  get(plugin: string): Interceptor | undefined {
    return this.#interceptors.get(plugin);
  }

  /** Says whether there was one. */
  clear(plugin: string): boolean {
    return this.#interceptors.delete(plugin);
  }
}

/** The data that the function gets, after its plugin's interceptor. Raises what the interceptor throws, `rejected`, or `app_error`. */
export async function intercept(interceptor: Interceptor, plugin: string, data: unknown, header: Header): Promise<unknown> {
  const verdict = await interceptor(data, header);
  if (verdict === true) return data;
  if (verdict === false) throw new GluerError('rejected', `The interceptor of '${plugin}' rejected the call.`);
  if (isWrapped(verdict)) return verdict.data;
  if (verdict === null || typeof verdict === 'string' || typeof verdict === 'number' || Array.isArray(verdict) || isPlain(verdict)) return verdict;
  throw mistake(`The interceptor of '${plugin}' returned ${verdict === undefined ? 'nothing' : `a ${typeof verdict} that is no data`}: it must return true, false or data.`);
}

/** Whether it is `{data}` with one of the values that mean something else by themselves. Any other object is data: what a caller sends must not be taken for a wrapping. */
function isWrapped(value: unknown): value is { data: boolean | undefined } {
  if (!isRecord(value) || Object.keys(value).join() !== 'data') return false;
  return value['data'] === undefined || typeof value['data'] === 'boolean';
}

function isPlain(value: unknown): boolean {
  if (!isRecord(value)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
