import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium, type BrowserContext, type Page } from 'playwright-core';
import { CHROMIUM_ARGUMENTS } from './chromium.js';

export const PROJECT = fileURLToPath(new URL('../../', import.meta.url));

const TOKEN = 'token-of-this-test';
const START_MS = 300_000;
/** Cells that are out of sight keep their outputs in the page, and nothing is written back into the committed notebooks. */
const SETTINGS: Record<string, object> = {
  '@jupyterlab/notebook-extension/tracker': { windowingMode: 'none' },
  '@jupyterlab/docmanager-extension/plugin': { autosave: false },
};

export interface Lab {
  /** Seconds from the start of `npm run lab` to the server's first answer. */
  startSeconds: number;
  /** Opens a notebook of notebooks/ with a fresh kernel. */
  open(name: string): Promise<Page>;
  close(): Promise<void>;
}

/** Starts `npm run lab` and a headless Chromium beside it. */
export async function startLab(options: {
  executable: string;
  environment?: NodeJS.ProcessEnv;
  theme?: string;
}): Promise<Lab> {
  const folder = mkdtempSync(join(tmpdir(), 'speech-dpo-lab-'));
  writeSettings(folder, options.theme);
  const port = await freePort();
  const startedMs = performance.now();
  const lab = spawn(
    'npm',
    [
      'run',
      'lab',
      '--',
      '--no-browser',
      `--port=${port}`,
      '--ServerApp.port_retries=0',
      `--IdentityProvider.token=${TOKEN}`,
      `--LabApp.user_settings_dir=${join(folder, 'settings')}`,
      `--LabApp.workspaces_dir=${join(folder, 'workspaces')}`,
      '--expose-app-in-browser',
    ],
    {
      cwd: PROJECT,
      env: { ...process.env, ...options.environment },
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  const log: string[] = [];
  for (const stream of [lab.stdout, lab.stderr])
    stream.on('data', (data: Buffer) => log.push(data.toString()));
  const address = `http://127.0.0.1:${port}`;
  let browser: BrowserContext | undefined;
  const close = async () => {
    await browser?.close();
    await endGroup(lab);
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await waitForServer(`${address}/api/status?token=${TOKEN}`, lab, log);
    const startSeconds = (performance.now() - startedMs) / 1000;
    browser = await chromium.launchPersistentContext(join(folder, 'profile'), {
      executablePath: options.executable,
      headless: true,
      viewport: { width: 1280, height: 1000 },
      args: CHROMIUM_ARGUMENTS,
    });
    const context = browser;
    return {
      startSeconds,
      open: (name) => openNotebook(context, `${address}/lab/tree/notebooks/${name}?token=${TOKEN}&reset`),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

function writeSettings(folder: string, theme?: string): void {
  const settings = { ...SETTINGS, ...(theme && { '@jupyterlab/apputils-extension/themes': { theme } }) };
  for (const [plugin, values] of Object.entries(settings)) {
    const path = join(folder, 'settings', `${plugin}.jupyterlab-settings`);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, JSON.stringify(values));
  }
}

async function openNotebook(context: BrowserContext, address: string): Promise<Page> {
  const page = await context.newPage();
  await page.goto(address, { waitUntil: 'domcontentloaded' });
  await page.waitForSelector('.jp-Notebook .jp-Cell', { timeout: 240_000 });
  await page.waitForFunction(KERNEL_IS_IDLE, null, { timeout: 240_000 });
  return page;
}

const CURRENT_KERNEL = 'window.jupyterapp?.shell?.currentWidget?.sessionContext?.session?.kernel';
const KERNEL_IS_IDLE = `${CURRENT_KERNEL}?.connectionStatus === 'connected' && ${CURRENT_KERNEL}?.status === 'idle'`;

async function waitForServer(address: string, lab: ChildProcess, log: readonly string[]): Promise<void> {
  const untilMs = performance.now() + START_MS;
  while (performance.now() < untilMs) {
    if (lab.exitCode !== null) break;
    const answer = await fetch(address).catch(() => undefined);
    if (answer?.ok) return;
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
  throw new Error(`npm run lab did not start JupyterLab:\n${log.join('')}`);
}

/** npm, the script, JupyterLab and its kernels are one process group. */
async function endGroup(lab: ChildProcess): Promise<void> {
  const closed = new Promise((resolve) => lab.once('close', resolve));
  if (lab.exitCode !== null) return;
  process.kill(-lab.pid!, 'SIGTERM');
  const late = setTimeout(() => process.kill(-lab.pid!, 'SIGKILL'), 10_000);
  await closed;
  clearTimeout(late);
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no free port');
  return address.port;
}
