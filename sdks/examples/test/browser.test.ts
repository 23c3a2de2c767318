// The script build in Debian's Chromium: what only a browser can show.
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { FakeRelay, PUBLIC_KEY } from '../../core/test/fake_relay.ts';

const SCRIPT = new URL('../../gluer-js/dist/gluer-js.umd.js', import.meta.url);
const CHROMIUM = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-background-networking', '--no-first-run', '--disable-popup-blocking'];
const PATIENCE = 20_000; // ms; a browser starts slowly on a busy machine

let relay: FakeRelay;
let profile: string;
let chromium: ChildProcess | undefined;

beforeEach(async () => {
  relay = await FakeRelay.start();
  profile = mkdtempSync(join(tmpdir(), 'chromium-'));
});

afterEach(async () => {
  if (chromium) await killed(chromium);
  await relay.stop();
  rmSync(profile, { recursive: true, force: true, maxRetries: 10 });
});

/** Ends the browser and the processes that it started: they write into the profile as long as they live. */
async function killed(browser: ChildProcess): Promise<void> {
  const ended = new Promise((resolve) => browser.once('exit', resolve));
  if (browser.exitCode === null && browser.pid !== undefined) process.kill(-browser.pid, 'SIGKILL');
  else return;
  await ended;
}

/** Opens a page of the relay's own origin that runs the code behind the SDK. */
function browse(code: string): void {
  const page = `<!doctype html><script src="/gluer.js"></script><script>gluer.setup({ project: '${PUBLIC_KEY}', url: location.origin }); gluer.connect(); ${code}</script>`;
  relay.http = ({ path }) => path === '/gluer.js'
    ? { status: 200, headers: { 'Content-Type': 'text/javascript' }, body: readFileSync(SCRIPT, 'utf8') }
    : { status: 200, headers: { 'Content-Type': 'text/html' }, body: page };
  chromium = spawn('chromium', [...CHROMIUM, `--user-data-dir=${profile}`, `${relay.url.replace('ws:', 'http:')}/`], { stdio: 'ignore', detached: true });
}

test('a reload keeps the session, and a tab opened from the page has another one', async () => {
  browse(`gluer.addEventListener('connection', () => {
    if (location.hash === '') { location.hash = 'again'; location.reload(); }
    else if (location.hash === '#again') { location.hash = 'done'; open('/#tab'); }
  });`);
  const first = await relay.welcomes(PATIENCE);
  const reloaded = await relay.welcomes(PATIENCE);
  const tab = await relay.welcomes(PATIENCE);
  expect(reloaded.hello['session']).toBe(first.hello['session']);
  expect(tab.hello['session']).not.toBe(first.hello['session']);
}, 2 * PATIENCE);

test('a page calls a function and hears a channel', async () => {
  browse(`gluer.subscribe('news', (data) => gluer.sendMsg('heard', data));
    gluer.sendMsgSync('calculator:add', { a: 5, b: 3 }).then(({ data }) => gluer.sendMsg('sum', data));`);
  const guest = await relay.welcomes(PATIENCE);
  expect(await guest.receives('subscribe')).toMatchObject({ channels: ['news'] });
  const call = await guest.receives('call');
  guest.results(call, { result: 8 });
  expect(await guest.receives('send')).toEqual({ type: 'send', cmd: 'sum', data: { result: 8 } });
  guest.sends({ type: 'message', channel: 'news', data: { n: 1 } });
  expect(await guest.receives('send')).toEqual({ type: 'send', cmd: 'heard', data: { n: 1 } });
}, 2 * PATIENCE);
