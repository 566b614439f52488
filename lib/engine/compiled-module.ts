/**
 * The address of a module for the worker thread, which runs compiled JavaScript: beside the asking module, or in dist/ where tests run
 * the TypeScript sources.
 *
 * @param name relative to the asking module, for example "./worker.js"
 * @param asking its import.meta.url
 */
export function compiledModule(name: string, asking: string): string {
  const sources = asking.lastIndexOf('/lib/');
  const folder = asking.endsWith('.ts') ? `${asking.slice(0, sources)}/dist${asking.slice(sources)}` : asking;
  return new URL(name, folder).href;
}

/**
 * The module that an address of `compiledModule` means to the asking module's own thread: where that runs the TypeScript sources, the
 * source, which shares their TensorFlow.js, and not its compiled double.
 *
 * @param address what `compiledModule` returned
 * @param asking its import.meta.url
 */
export function moduleOfThisThread(address: string, asking: string): string {
  return asking.endsWith('.ts') ? address.replace(/\/dist\/lib\/(.*)\.js$/, '/lib/$1.ts') : address;
}
