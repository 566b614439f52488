/**
 * The address of a module for the worker thread, which runs compiled JavaScript: beside the asking module, or in dist/ where tests run
 * the TypeScript sources.
 *
 * @param name relative to the asking module, for example "./worker.js"
 * @param asking its import.meta.url
 */
export function compiledModule(name: string, asking: string): string {
  const folder = asking.endsWith('.ts') ? asking.replace(/\/lib\/(?!.*\/lib\/)/, '/dist/lib/') : asking;
  return new URL(name, folder).href;
}
