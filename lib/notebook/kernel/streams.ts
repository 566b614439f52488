/** Publishes a piece of a stream as one message of the cell that it belongs to. */
export type PublishStream = (name: string, text: string) => void;

/** A text that waits is published when the last message is so long ago, also while a cell keeps the event loop from turning ... */
const LIVE_MS = 100;
/** ... or when it has so many characters. */
const LARGEST = 2 ** 18;

/**
 * Joins what is printed in one turn of the event loop, since a message for each line would flood the front end. The order of everything
 * is kept: standard output and standard error interleave as they were written.
 */
export class Streams {
  #name = '';
  #text = '';
  #publish: PublishStream = () => undefined;
  #publishedMs = -Infinity;
  #turn: NodeJS.Immediate | undefined;
  #isClosed = false;

  write(publish: PublishStream, name: string, text: string): void {
    if (this.#isClosed) return;
    if (publish !== this.#publish || name !== this.#name) this.flush();
    // The first text of a cell shows that it runs.
    if (publish !== this.#publish) this.#publishedMs = -Infinity;
    this.#publish = publish;
    this.#name = name;
    this.#text += text;
    const isDue = performance.now() - this.#publishedMs > LIVE_MS || this.#text.length > LARGEST;
    if (isDue) this.flush();
    else this.#turn ??= setImmediate(() => this.flush());
  }

  /** Publishes what waits; to be called before anything that has to come after it. */
  flush(): void {
    clearImmediate(this.#turn);
    this.#turn = undefined;
    if (this.#text === '') return;
    const text = this.#text;
    this.#text = '';
    this.#publishedMs = performance.now();
    this.#publish(this.#name, text);
  }

  /** Publishes what waits, and nothing that comes later. */
  close(): void {
    this.flush();
    this.#isClosed = true;
  }
}
