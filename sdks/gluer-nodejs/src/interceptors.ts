import type { Header } from '../../core/src/context.ts';
import { GluerError, mistake } from '../../core/src/errors.ts';
import { isRecord } from '../../core/src/frames.ts';
import { checkPlugin } from './functions.ts';

/**
 * Sees a plugin's calls and sends before its functions do. `true` lets one through, `false` rejects it, a plain object
 * takes the place of its data, a throw becomes the caller's error; anything else is a mistake, and the call is refused.
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
  if (isPlain(verdict)) return verdict;
  throw new GluerError('app_error', `The interceptor of '${plugin}' returned ${kindOf(verdict)}: it must return true, false or a plain object.`);
}

function isPlain(value: unknown): boolean {
  if (!isRecord(value)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'an array' : value === undefined ? 'nothing' : `a ${typeof value} that is none of these`;
}
