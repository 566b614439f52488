export const KERNELS: { path: string; name: string }[];
export function assemble(text: string): Promise<Uint8Array<ArrayBuffer>>;
