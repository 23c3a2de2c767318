// Builds the packages before the tests that run them, when their sources are newer than what was built.
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

const SDKS = new URL('../../', import.meta.url).pathname;
const SOURCES = ['core/src', 'gluer-js/src', 'gluer-nodejs/src'];
const CONFIGURATION = ['gluer-js', 'gluer-nodejs'].flatMap((name) => [`${name}/package.json`, `${name}/tsdown.config.ts`]);
const BUILT = ['gluer-js/dist/gluer-js.umd.js', 'gluer-js/dist/index.d.ts', 'gluer-nodejs/dist/index.js', 'gluer-nodejs/dist/index.d.ts'];

export function setup(): void {
  if (!isBuilt()) execFileSync('npm', ['run', 'build'], { cwd: SDKS, stdio: 'pipe' });
}

function isBuilt(): boolean {
  const files = SOURCES.flatMap((folder) => readdirSync(join(SDKS, folder)).map((name) => `${folder}/${name}`));
  const newest = Math.max(...[...files, ...CONFIGURATION].map(changedAt));
  return BUILT.every((file) => existsSync(join(SDKS, file)) && changedAt(file) > newest);
}

function changedAt(file: string): number {
  return statSync(join(SDKS, file)).mtimeMs;
}
