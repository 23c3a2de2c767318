import { mistake } from './errors.ts';

/** Characters of a command, channel or store key (GP-50). */
const NAME_LENGTH = 128;
/** Lone surrogates, controls, and what is invisible or turns the direction of text (GP-50). */
const UNSPEAKABLE =
  /[\p{Cc}\p{Cs}\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\u{e0000}-\u{e007f}]/u;

/** The name, when it is one (GP-50); raises `invalid_arguments` otherwise. */
export function checkName(what: string, name: unknown, longest = NAME_LENGTH): string {
  if (typeof name !== 'string' || name === '' || name.length > 2 * longest || Array.from(name).length > longest)
    throw mistake(`A ${what} is a string of 1 to ${String(longest)} characters.`);
  if (UNSPEAKABLE.test(name)) throw mistake(`A ${what} holds no control or invisible characters and no lone surrogates.`);
  return name;
}

/** The channel's name; names that begin with `$gluer` are the relay's own. */
export function checkChannel(channel: unknown): string {
  const name = checkName('channel', channel);
  if (name.startsWith('$gluer')) throw mistake(`The channel '${name}' is reserved: choose a name without '$gluer' in front.`);
  return name;
}
