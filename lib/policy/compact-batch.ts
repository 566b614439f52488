/** Places of prompts and of rows in a batch, each in ascending order. */
export interface BatchPlaces {
  prompts: number[];
  rows: number[];
}

/** ONNX Runtime multiplies a single row in another order than several, and a sample must not depend on those beside it. */
const LEAST_ROWS = 2;

/**
 * The smallest part of a batch that holds all of its open rows, and of each prompt in it as many rows as of any other: those that have ended fill it
 * up.
 *
 * @param open whether each row is open, prompt by prompt, of each as many
 */
export function compactBatch(open: readonly boolean[], prompts: number): BatchPlaces {
  const samples = open.length / prompts;
  const placesOf = (prompt: number) => Array.from({ length: samples }, (_, i) => prompt * samples + i);
  const openOf = (prompt: number) => placesOf(prompt).filter((place) => open[place]);
  const staying = [...Array(prompts).keys()].filter((prompt) => openOf(prompt).length > 0);
  const most = Math.max(Math.min(LEAST_ROWS, samples), ...staying.map((prompt) => openOf(prompt).length));
  const rows = staying.flatMap((prompt) => {
    const ended = placesOf(prompt).filter((place) => !open[place]);
    return [...openOf(prompt), ...ended].slice(0, most).sort((a, b) => a - b);
  });
  return { prompts: staying, rows };
}
