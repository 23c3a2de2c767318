// The packages as a user gets them: packed, unpacked into a project of their own, and run there.
import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createContext, runInContext } from 'node:vm';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { FakeRelay, PRIVATE_KEY, PUBLIC_KEY, until, type Guest } from '../../core/test/fake_relay.ts';

const SDKS = new URL('../../', import.meta.url).pathname;
const project = mkdtempSync(join(tmpdir(), 'gluer-project-'));
let relay: FakeRelay;
let running: ChildProcess[] = [];

beforeAll(() => {
  execFileSync('npm', ['pack', '--workspaces', '--ignore-scripts', '--pack-destination', project], { cwd: SDKS, stdio: 'pipe' });
  for (const name of ['gluer-js', 'gluer-nodejs']) {
    const folder = join(project, 'node_modules', name);
    mkdirSync(folder, { recursive: true });
    execFileSync('tar', ['xzf', join(project, `${name}-0.1.0.tgz`), '--strip-components=1', '-C', folder]);
  }
  symlinkSync(join(SDKS, 'node_modules', 'ws'), join(project, 'node_modules', 'ws'));
  writeFileSync(join(project, 'package.json'), '{ "private": true, "type": "module" }');
}, 120_000);

afterAll(() => { rmSync(project, { recursive: true }); });

beforeEach(async () => { relay = await FakeRelay.start(); });

afterEach(async () => {
  for (const child of running) child.kill('SIGKILL');
  running = [];
  await relay.stop();
});

interface Program {
  out: () => string;
  /** The exit code; undefined while it runs, null when a signal ended it. */
  code: () => number | null | undefined;
  signal: () => NodeJS.Signals | undefined;
  kill: (signal: NodeJS.Signals) => void;
}

/** Runs a program in the project; what it printed, and how it ended. */
function run(name: string, text: string, env: Record<string, string> = {}): Program {
  writeFileSync(join(project, name), text);
  const child = spawn(process.execPath, ['--experimental-websocket', name], { cwd: project, env: { ...process.env, GLUER_URL: relay.url, ...env } });
  running.push(child);
  let out = '';
  let code: number | null | undefined;
  child.stdout.on('data', (chunk) => { out += String(chunk); });
  child.stderr.on('data', (chunk) => { out += String(chunk); });
  let signal: NodeJS.Signals | undefined;
  child.on('exit', (status, by) => { code = status; signal = by ?? undefined; });
  return { out: () => out, code: () => code, signal: () => signal, kill: (with_) => { child.kill(with_); } };
}

const verbatim = (name: string): string =>
  readFileSync(join(SDKS, 'examples', 'verbatim', name), 'utf8').replace('YOUR_PRIVATE_KEY', PRIVATE_KEY).replace('YOUR_PUBLIC_KEY', PUBLIC_KEY);

test.each(['gluer-js', 'gluer-nodejs'])('the tarball of %s holds what is needed and nothing else', (name) => {
  const folder = join(project, 'node_modules', name);
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).map((entry) => entry.name).sort();
  const umd = name === 'gluer-js' ? ['gluer-js.umd.js'] : [];
  expect(files).toEqual(['LICENSE', 'README.md', ...umd, 'index.cjs', 'index.d.cts', 'index.d.ts', 'index.js', 'package.json']);
});

test('the packages connect to the public relay by default, by a text that a site can replace by its own', () => {
  for (const file of ['gluer-js/dist/index.js', 'gluer-js/dist/index.cjs', 'gluer-nodejs/dist/index.js', 'gluer-nodejs/dist/index.cjs'])
    expect(readFileSync(join(project, 'node_modules', file), 'utf8')).toMatch(/^const DEFAULT_URL = "wss:\/\/ws\.gluer\.io";$/m);
  expect(readFileSync(join(project, 'node_modules/gluer-js/dist/gluer-js.umd.js'), 'utf8')).toContain('wss://ws.gluer.io');
});

test('gluer-js has no dependencies, and gluer-nodejs only ws', () => {
  const manifest = (name: string): { dependencies?: object } => JSON.parse(readFileSync(join(project, 'node_modules', name, 'package.json'), 'utf8')) as object;
  expect(Object.keys(manifest('gluer-js').dependencies ?? {})).toEqual([]);
  expect(Object.keys(manifest('gluer-nodejs').dependencies ?? {})).toEqual(['ws']);
});

test('the verbatim pair prints its sums', async () => {
  const server = run('server.js', verbatim('server.js'));
  const callee = await relay.meets();
  const hello = await callee.receives('hello');
  expect(server.out()).toBe('');
  relay.greets(callee, hello);
  expect((await callee.receives('register'))['functions']).toEqual([{ name: 'calculator:add' }, { name: 'calculator:multiply' }]);
  const app = run('app.js', verbatim('app.js'));
  const caller = await relay.welcomes();
  for (let n = 0; n < 2; n++) {
    const call = await caller.receives('call');
    callee.sends({ ...call, id: `k${String(n)}`, header: {} });
    const { data } = await callee.receives('result');
    caller.results(call, data);
  }
  await until('the sums', () => app.out().includes('28'));
  expect(app.out()).toBe('5 + 3 = 8\n4 * 7 = 28\n');
  expect(server.out()).toBe('Backend connected to Gluer!\n');
});

test('the verbatim pair with its placeholders says what to do', async () => {
  const programs = ['server.js', 'app.js'].map((name) => run(name, readFileSync(join(SDKS, 'examples', 'verbatim', name), 'utf8')));
  await until('their ends', () => programs.every(({ code }) => code() !== undefined));
  expect(programs[0]!.out()).toContain('gluer-nodejs needs a private key of the project');
  expect(programs[1]!.out()).toContain("gluer-js needs the project's public key");
});

test('a front end on Node says at once which relay it cannot reach, why, and when it tries again; its last error says so too', async () => {
  const { url } = relay;
  await relay.stop();
  relay = await FakeRelay.start(); // elsewhere
  const start = performance.now();
  const program = run('away.js', `
    import gluer from 'gluer-js';
    gluer.setup({ project: '${PUBLIC_KEY}', url: '${url}' });
    gluer.connect();
    await gluer.sendMsgSync('a:b', {}, 1_000);
  `);
  await until('a line', () => program.out().includes('Trying again'));
  expect(performance.now() - start).toBeLessThan(5_000);
  expect(program.out()).toMatch(new RegExp(`^gluer: relay_unavailable: No connection to ${url} \\(Received network error.*\\). Trying again (now|in \\d\\.\\d s)\\.\n`, 'm'));
  await until('its end', () => program.code() !== undefined);
  expect(program.out()).toMatch(new RegExp(`GluerError: No connection to ${url} stood before the deadline`));
  expect(program.code()).toBe(1);
});

test('both packages can be required', async () => {
  const program = run('both.cjs', `
    const { gluer, createClient, GluerError } = require('gluer-js');
    const server = require('gluer-nodejs');
    console.log([gluer.setup, gluer.sendHttp, createClient, GluerError, server.connect, server.default.connect, server.createClient].every((each) => typeof each === 'function'));
  `);
  await until('its end', () => program.code() !== undefined);
  expect(program.out()).toBe('true\n');
});

test.each([[['ES2022']], [['ES2022', 'DOM']]])('a TypeScript program with the lib %j compiles', (lib) => {
  writeFileSync(join(project, 'program.ts'), `
    import gluer from 'gluer-js';
    import * as server from 'gluer-nodejs';
    gluer.setup({ project: 'x' });
    gluer.on('page:ask', (data, { signal }) => { signal.addEventListener('abort', () => undefined); return data as unknown; });
    export const sum: Promise<number> = gluer.sendMsgSync<number>('a:b', {}, { timeout: 5 }).then(({ data }) => data);
    server.register_plugin('a', 'b', async (data, { signal }) => (signal.aborted ? null : data as unknown));
    void server.register_directory({ href: 'file:///plugins' });
    void server.call('a:b', {}, { to: { session: 's' } });
    // @ts-expect-error exactly one of them
    void server.call('a:b', {}, { to: { session: 's', connection: 'c' } });
    ${lib.includes('DOM') ? "server.register_plugin('a', 'c', (data, { signal }) => fetch('/x', { signal }));" : ''}
  `);
  const compilerOptions = { target: 'ES2022', lib, module: 'NodeNext', types: [], strict: true, exactOptionalPropertyTypes: true, skipLibCheck: false, noEmit: true };
  writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['program.ts'] }));
  const { stdout } = spawnSync(process.execPath, [join(SDKS, 'node_modules/typescript/bin/tsc'), '-p', project], { encoding: 'utf8' });
  expect(stdout).toBe('');
});

test('the script build makes one global, gluer', () => {
  const context = createContext({});
  runInContext(readFileSync(join(project, 'node_modules', 'gluer-js', 'dist', 'gluer-js.umd.js'), 'utf8'), context);
  const gluer = (context as { gluer?: Record<string, unknown> }).gluer!;
  for (const method of ['setup', 'connect', 'disconnect', 'addEventListener', 'send', 'sendMsg', 'sendMsgSync', 'call', 'on', 'off', 'sendHttp', 'subscribe', 'unsubscribe', 'setContextItem', 'deleteContextItem', 'createClient'])
    expect(gluer[method], method).toBeTypeOf('function');
});

test('every method of the back end is an export of its own and of the default one', async () => {
  const names = ['connect', 'set_websocket_url', 'register_plugin', 'register_object', 'register_directory', 'register_interceptor', 'clear_interceptor', 'get_interceptor', 'publish', 'call', 'send', 'subscribe', 'unsubscribe', 'disconnect', 'addEventListener', 'removeEventListener'];
  const program = run('names.js', `
    import gluer, * as named from 'gluer-nodejs';
    for (const name of ${JSON.stringify(names)}) if (typeof named[name] !== 'function' || typeof gluer[name] !== 'function') console.log(name);
  `);
  await until('its end', () => program.code() !== undefined);
  expect(program.out()).toBe('');
});

test('a program lives while it is connected, and ends after disconnect()', async () => {
  const program = run('ends.js', `
    import * as gluer from 'gluer-nodejs';
    gluer.register_plugin('a', 'stop', () => { setTimeout(gluer.disconnect, 10); return 'bye'; });
    gluer.connect('${PRIVATE_KEY}');
  `);
  const guest = await relay.welcomes();
  await guest.receives('register');
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(program.code()).toBeUndefined();
  guest.sends({ type: 'call', id: 'k1', cmd: 'a:stop', data: {}, timeout: 1, header: {} });
  await guest.receives('result');
  guest.results(await guest.receives('drain'));
  await until('its end', () => program.code() !== undefined);
  expect(program.code()).toBe(0);
});

test('a program ends after disconnect() though the relay does not answer any more', async () => {
  const program = run('cut.js', `
    import * as gluer from 'gluer-nodejs';
    gluer.addEventListener('connection', () => setTimeout(gluer.disconnect, 200));
    gluer.connect('${PRIVATE_KEY}');
  `);
  (await relay.welcomes()).freezes();
  await until('its end', () => program.code() !== undefined);
  expect(program.code()).toBe(0);
});

test.each(['SIGTERM', 'SIGINT'] as const)('%s drains when it is asked to, and then ends the program', async (signal) => {
  const program = run('signal.js', `
    import * as gluer from 'gluer-nodejs';
    gluer.register_plugin('a', 'slow', () => new Promise((resolve) => setTimeout(resolve, 300, 'done')));
    gluer.connect('${PRIVATE_KEY}', { drainOnSignal: true });
    gluer.createClient().connect('${PRIVATE_KEY}', { drainOnSignal: true });
  `);
  const guests = [await relay.welcomes(), await relay.welcomes()];
  await until('the register', () => guests.some(({ unread }) => unread > 0));
  const [busy, other] = guests[0]!.unread > 0 ? guests as unknown as [Guest, Guest] : guests.reverse() as unknown as [Guest, Guest];
  await busy.receives('register');
  busy.sends({ type: 'call', id: 'k1', cmd: 'a:slow', data: {}, timeout: 5_000, header: {} });
  program.kill(signal);
  busy.results(await busy.receives('drain'));
  other.results(await other.receives('drain'));
  expect(await busy.receives('result')).toMatchObject({ id: 'k1', data: 'done' });
  await until('its end', () => program.signal() !== undefined);
  expect(program.signal()).toBe(signal);
  expect(program.out()).toBe('');
});

test('a second signal ends the program at once', async () => {
  const program = run('impatient.js', `
    import * as gluer from 'gluer-nodejs';
    gluer.connect('${PRIVATE_KEY}', { drainOnSignal: true });
  `);
  const guest = await relay.welcomes();
  program.kill('SIGTERM');
  await guest.receives('drain');
  program.kill('SIGINT');
  await until('its end', () => program.signal() !== undefined, 3_000);
  expect(program.signal()).toBe('SIGINT');
});

test('a signal handler of the program itself decides when it ends', async () => {
  const program = run('own.js', `
    import * as gluer from 'gluer-nodejs';
    process.on('SIGTERM', () => setTimeout(() => console.log(gluer.default.state), 100));
    gluer.connect('${PRIVATE_KEY}', { drainOnSignal: true });
  `);
  const guest = await relay.welcomes();
  program.kill('SIGTERM');
  guest.results(await guest.receives('drain'));
  await until('its end', () => program.code() !== undefined);
  expect(program.code()).toBe(0);
  expect(program.out()).toBe('disconnected\n');
});

test('a program lives while its relay is away, and ends when it is refused for good', async () => {
  const program = run('refused.js', `
    import * as gluer from 'gluer-nodejs';
    gluer.connect('${PRIVATE_KEY}');
  `);
  (await relay.welcomes()).vanishes();
  (await relay.meets()).bye(4410, { code: 'unauthorized', message: 'The key was revoked.', reconnect: false });
  await until('its end', () => program.code() !== undefined);
  expect(program.out()).toContain('gluer: unauthorized: The key was revoked.');
  expect(program.code()).toBe(1);
});

test.each([
  ['gluer-nodejs', 'that nobody listens to', '', 1],
  ['gluer-js', 'that nobody listens to', '', 1],
  ['gluer-nodejs', 'that the program listens to', "gluer.addEventListener('error', () => undefined);", 0],
  ['gluer-nodejs', 'of a program with an exit code of its own', 'process.exitCode = 3;', 3],
  ['gluer-nodejs', 'of a program that goes on and ends by itself', 'setTimeout(() => process.exit(), 500);', 0],
])('a refusal by %s %s ends with the right exit code', async (sdk, _whose, code, exitCode) => {
  const program = run('refusal.js', `
    import gluer from '${sdk}';
    ${code}
    ${sdk === 'gluer-js' ? `gluer.setup({ project: '${PUBLIC_KEY}' }); gluer.connect();` : `gluer.connect('${PRIVATE_KEY}');`}
  `);
  (await relay.meets()).bye(4401, { code: 'unauthorized', message: 'Unknown key.', reconnect: false });
  await until('its end', () => program.code() !== undefined);
  expect(program.code()).toBe(exitCode);
});

test('a refused program that finds the right key ends well', async () => {
  const program = run('second.js', `
    import gluer from 'gluer-nodejs';
    gluer.connect('${PRIVATE_KEY}').catch(() => gluer.connect('${PRIVATE_KEY}')).then(() => gluer.disconnect({ drain: false }));
  `);
  (await relay.meets()).bye(4401, { code: 'unauthorized', message: 'Unknown key.', reconnect: false });
  await relay.welcomes();
  await until('its end', () => program.code() !== undefined);
  expect(program.code()).toBe(0);
});
