export const KERNELS: { path: string; name: string }[];
export function assemble(path: string): Promise<Uint8Array<ArrayBuffer>>;
