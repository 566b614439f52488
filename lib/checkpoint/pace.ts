import { patienceSeconds } from './environment.js';
import { Unreachable } from './web.js';

/** As curl's --speed-limit and --speed-time: so little in a minute, at the default patience, is no download. */
const LEAST_BYTES_A_SECOND = 1000;
const PATIENCES = 6;

/**
 * Watches how fast something comes. A server that says nothing is left by itself; one that sends a byte now and then would be waited for
 * for ever. The time is six times HF_HUB_DOWNLOAD_TIMEOUT, by default a minute.
 *
 * @returns is told how many bytes have come, and throws Unreachable when fewer than 1000 a second came for that time
 */
export function createPace(): (bytes: number) => void {
  const longestMs = 1000 * patienceSeconds();
  let before = performance.now();
  let ms = 0;
  let came = 0;
  return (bytes) => {
    const now = performance.now();
    // While this process was stopped (Ctrl-Z) nothing could come.
    ms += Math.min(now - before, longestMs);
    before = now;
    came += bytes;
    if (ms < PATIENCES * longestMs) return;
    if (came < (LEAST_BYTES_A_SECOND * ms) / 1000)
      throw new Unreachable(
        `sends too slowly: ${came} bytes in ${Math.round(ms / 1000)} seconds, and ${LEAST_BYTES_A_SECOND} a second are the least`,
      );
    ms = came = 0;
  };
}
