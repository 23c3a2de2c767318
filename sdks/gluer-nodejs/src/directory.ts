import { readdir } from 'node:fs/promises';
import { resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { Handler } from '../../core/src/context.ts';
import { messageOf, mistake } from '../../core/src/errors.ts';
import type { UrlLike } from '../../core/src/platform.ts';
import { checkOptionsByName, type OptionsByName } from './function_options.ts';
import { checkPlugin } from './functions.ts';

/** What a plugin file offers. */
export interface PluginFile {
  readonly plugin: string;
  readonly handlers: readonly (readonly [string, Handler])[];
  readonly options: OptionsByName;
}

const PLUGIN_FILE = /_plugin\.m?js$/;
const MOST_FILES = 1_000;

/** The plugins of the directory's `*_plugin.js` and `*_plugin.mjs` files, by name. Rejects with a sentence that names the file. */
export async function readPlugins(directory: string | UrlLike): Promise<PluginFile[]> {
  const folder = typeof directory === 'string' ? resolve(directory) : fileURLToPath(directory.href);
  const files = await readdir(folder).catch((thrown: unknown) => { throw mistake(`The folder ${folder} cannot be read: ${messageOf(thrown)}`); });
  const names = files.filter((name) => PLUGIN_FILE.test(name)).sort();
  if (names.length === 0) throw mistake(`There is no *_plugin.js or *_plugin.mjs file in ${folder}.`);
  if (names.length > MOST_FILES) throw mistake(`There are more than ${String(MOST_FILES)} plugin files in ${folder}.`);
  const plugins: PluginFile[] = [];
  for (const name of names) plugins.push(await readPlugin(resolve(folder, name)));
  return plugins;
}

async function readPlugin(file: string): Promise<PluginFile> {
  try {
    return pluginOf((await import(pathToFileURL(file).href)) as Record<string, unknown>);
  } catch (thrown) {
    throw Object.assign(mistake(`The plugin file ${file} failed: ${messageOf(thrown)}`), { cause: thrown });
  }
}

function pluginOf(module: Record<string, unknown>): PluginFile {
  // A CommonJS file's exports are all in `default`, and only some of them beside it.
  const exports = module['plugin'] === undefined && typeof module['default'] === 'object' ? { ...module['default'] } as Record<string, unknown> : module;
  if (typeof exports['plugin'] !== 'string') throw mistake("It has to export `plugin`, the plugin's name.");
  const handlers = Object.entries(exports).filter((entry): entry is [string, Handler] => typeof entry[1] === 'function' && entry[0] !== 'default' && !entry[0].startsWith('_'));
  if (handlers.length === 0) throw mistake('It exports no functions.');
  const given = typeof exports['options'] === 'function' ? undefined : exports['options']; // a function of that name is a function
  const options = checkOptionsByName(handlers.map(([name]) => name), given);
  return { plugin: checkPlugin(exports['plugin']), handlers, options };
}
