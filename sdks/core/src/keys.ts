import { mistake } from './errors.ts';

export type Kind = 'frontend' | 'backend';

const KEY = /^gluer_(pub|prv)_([a-z0-9]+)_[A-Za-z0-9]+$/;
const WANTED = {
  frontend: "gluer-js needs the project's public key (it begins with gluer_pub_): copy it from the project's page",
  backend: "gluer-nodejs needs a private key of the project (it begins with gluer_prv_): copy it from the project's page",
};
const OTHER = {
  frontend: 'This is a private key, and whoever sees it can act as your back end: take it out of the page and revoke it. ',
  backend: 'This is a public key, for front ends. ',
};

/** The id of the key's project. Raises `invalid_arguments` for the other kind of key, or no key; never shows the key. */
export function projectOf(key: unknown, kind: Kind): string {
  const [, found, project] = KEY.exec(String(key)) ?? [];
  if (!project) throw mistake(`${WANTED[kind]}.`);
  if ((found === 'pub') !== (kind === 'frontend')) throw mistake(`${OTHER[kind]}${WANTED[kind]}.`);
  return project;
}
