/** speech-dpo's side in a process of its own: answers like the peers (bench/peers/peer.py). */
import { createInterface } from 'node:readline';

/** Says its versions, of which there are none to tell, and then times one call for each line it reads, until there are no more. */
export async function answerRequests(call: () => Promise<void>): Promise<void> {
  console.log(JSON.stringify({}));
  for await (const _ of createInterface({ input: process.stdin })) {
    const start = performance.now();
    await call();
    console.log(JSON.stringify({ seconds: (performance.now() - start) / 1000 }));
  }
}
