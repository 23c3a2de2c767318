import type { Context, Handler } from '../../core/src/context.ts';
import { GluerError, mistake } from '../../core/src/errors.ts';
import { checkName } from '../../core/src/names.ts';

const MOST_HANDLERS = 2_000;

/** What back ends may call on this front end, by name. */
export class Handlers {
  readonly #handlers = new Map<string, Handler>();

  set(name: string, handler: Handler): void {
    if (typeof handler !== 'function') throw mistake(`on('${name}', fn) needs a function.`);
    if (!this.#handlers.has(name) && this.#handlers.size >= MOST_HANDLERS) throw mistake('There are too many handlers: take some away with off(name).');
    this.#handlers.set(checkName('handler name', name), handler);
  }

  /** Says whether there was one. */
  delete(name: string): boolean {
    return this.#handlers.delete(name);
  }

  /** Runs the command's handler. Raises `app_error` where there is none. */
  perform(cmd: string, data: unknown, context: Context): unknown {
    const handler = this.#handlers.get(cmd);
    if (!handler) throw new GluerError('app_error', `This front end has no handler '${cmd}': it is made with on(name, fn).`);
    return handler(data, context);
  }
}
