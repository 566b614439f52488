/** What a test waits for, or lets another part wait for, until it opens it. */
export function createGate() {
  let open!: () => void;
  const isOpen = new Promise<void>((resolve) => (open = resolve));
  return { open, isOpen };
}
