export const QUICK_FOLDER: string;
export function copyForQuickMode(root: string): string[];
