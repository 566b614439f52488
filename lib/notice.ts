/**
 * Takes a sentence that a person should read while the work goes on: what is downloaded and under which licence, what is used in place of
 * something that cannot be had. No function of the library prints by itself; without a taker such sentences are not told.
 */
export type OnNotice = (sentence: string) => void;
