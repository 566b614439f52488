import { join } from 'node:path';
import type { Device } from '../engine/index.js';
import type { Server } from '../farm/files/fetch.js';
import type { OnNotice } from '../notice.js';
import { cacheFolder } from '../scoring/weights-path.js';

/** Work that a worker has opened, and does item by item. */
export interface OpenWork extends AsyncDisposable {
  /**
   * @param data an item as it came from the queue
   * @returns its result as JSON
   */
  do(data: unknown): Promise<string>;
}

/** What work is opened with. */
export interface WorkOptions {
  device: Device;
  /** Where its files are served. */
  server?: Server;
  onNotice?: OnNotice;
}

/** What workers of this machine keep of what they fetched. */
export const workersCache = (): string => join(cacheFolder(), 'workers');
