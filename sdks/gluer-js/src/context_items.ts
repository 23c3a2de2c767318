import { mistake } from '../../core/src/errors.ts';
import { isRecord } from '../../core/src/frames.ts';
import { payload } from '../../core/src/json.ts';
import { checkName } from '../../core/src/names.ts';

const MOST_ITEMS = 100;

/** Values that go with every call and send, merged into its data (GP-19). */
export class ContextItems {
  readonly #items = new Map<string, unknown>();
  #warned = false;

  /** Raises `invalid_arguments` for a value that JSON cannot carry, and beyond 100 items. */
  set(key: string, value: unknown): void {
    payload(value);
    if (!this.#items.has(key) && this.#items.size >= MOST_ITEMS) throw mistake(`There are ${String(MOST_ITEMS)} context items already: delete some.`);
    this.#items.set(checkName('context item', key), value);
  }

  delete(key: string): void {
    this.#items.delete(key);
  }

  /** The data with the items in it; its own fields win. Data that is no object goes unchanged, with one warning. */
  mergedInto(data: unknown): unknown {
    if (this.#items.size === 0) return data;
    if (isRecord(data) && typeof data['toJSON'] !== 'function') return { ...Object.fromEntries(this.#items), ...data };
    if (!this.#warned) console.warn('gluer: context items are merged into objects only; this data is none and goes without them.');
    this.#warned = true;
    return data;
  }
}
