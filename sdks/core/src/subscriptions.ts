import { GluerError, mistake } from './errors.ts';
import type { Guard } from './events.ts';
import type { Frame } from './frames.ts';
import { checkChannel } from './names.ts';
import { Roster, type RosterPorts } from './roster.ts';

/** Where a message came from. */
export interface MessageInfo {
  readonly channel: string;
}

/** Gets a channel's messages. It may return a promise: its rejection counts as a throw. */
export type MessageHandler = (data: unknown, info: MessageInfo) => unknown;

const MOST_HANDLERS = 1_000; // of one channel

/** Who listens to which channel, across reconnects. */
export class Subscriptions {
  readonly roster: Roster;
  /** Channels of which the newest link's messages count, since it has answered for them (GP-6). */
  readonly confirmed = new Set<string>();
  readonly #guarded: Guard;
  readonly #handlers = new Map<string, MessageHandler[]>();

  constructor(ports: RosterPorts, guarded: Guard) {
    this.#guarded = guarded;
    const frame = (type: string) => (channels: string[]): Frame => ({ type, channels });
    this.roster = new Roster(ports, frame('subscribe'), frame('unsubscribe'), (names) => { for (const name of names) this.confirmed.add(name); });
  }

  /** Adds the handler to the channels; the returned function takes it away again. */
  subscribe(channels: string | readonly string[], handler: MessageHandler): () => void {
    if (typeof handler !== 'function') throw mistake('subscribe(channel, fn) needs a function that gets the messages.');
    const names = [...new Set([channels].flat().map(checkChannel))];
    for (const name of names) this.#add(name, handler);
    let active = true;
    return () => {
      if (active) for (const name of names) this.#remove(name, handler);
      active = false;
    };
  }

  /** Takes the handler away from the channels wherever it stands, or all handlers. */
  unsubscribe(channels: string | readonly string[], handler?: MessageHandler): void {
    for (const name of [channels].flat())
      for (const each of [...(this.#handlers.get(name) ?? [])]) if (!handler || each === handler) this.#remove(name, each);
  }

  /** Hands a `message` frame to the channel's handlers; one of an older link only until the newest has the channel. */
  deliver({ channel, data }: Frame, newest: boolean): void {
    const name = String(channel);
    if (newest) this.confirmed.add(name); // its answer has come before (GP-20)
    else if (this.confirmed.has(name)) return;
    for (const handler of [...(this.#handlers.get(name) ?? [])])
      this.#guarded(`A handler of the channel '${name}'`, () => handler(data, { channel: name }));
  }

  #add(name: string, handler: MessageHandler): void {
    const handlers = this.#handlers.get(name) ?? [];
    if (handlers.length === 0 && this.roster.full) throw new GluerError('rate_limited', 'Too many channels for one client: unsubscribe from some.');
    if (handlers.length >= MOST_HANDLERS) throw new GluerError('rate_limited', `Too many handlers of the channel '${name}': unsubscribe some.`);
    this.#handlers.set(name, [...handlers, handler]);
    this.roster.add(name);
  }

  #remove(name: string, handler: MessageHandler): void {
    const handlers = this.#handlers.get(name) ?? [];
    const index = handlers.indexOf(handler);
    if (index < 0) return;
    const rest = handlers.filter((_, each) => each !== index);
    if (rest.length > 0) this.#handlers.set(name, rest);
    else {
      this.#handlers.delete(name);
      this.roster.remove(name);
    }
  }
}
