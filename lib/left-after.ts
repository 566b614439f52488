/**
 * The result of `work`. Once the signal is aborted it has so many milliseconds left, to clean up and to say so itself.
 *
 * @throws the signal's reason when `work` is still under way then; it goes on, and nobody hears of how it ends
 */
export function leftAfter<T>(ms: number, signal: AbortSignal, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    let timer: NodeJS.Timeout | undefined;
    const leave = () => (timer = setTimeout(() => reject(signal.reason as Error), ms));
    signal.addEventListener('abort', leave, { once: true });
    if (signal.aborted) leave();
    work.then(resolve, reject).finally(() => {
      signal.removeEventListener('abort', leave);
      clearTimeout(timer);
    });
  });
}
