import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';
import type { Patience } from '../../lib/reward/ask-server.js';
import type { Answer } from './reward-server.js';

/** As a question of verl-omni's audio-scorer protocol is sent. */
export interface SentQuestion {
  protocol_version: string;
  waveform_f32_base64: string;
  num_samples: number;
  sample_rate: number;
  prompt: string;
  metadata: Record<string, unknown>;
}

/** What is answered to a question: status and body, with headers; nothing, ever; or the connection breaks. */
export type ScorerAnswer = [...Answer, headers?: Record<string, string>] | 'hang' | 'break';

export interface StartedScorer {
  address: string;
  asked: SentQuestion[];
  /** The largest number of questions that were open at a time. */
  readonly most: number;
  /** From now on nobody listens. */
  die(): void;
}

/** Asks again almost at once. */
export const SHORT: Patience = { timeoutMs: 60_000, pauseMs: 5 };

/**
 * Starts an audio scorer of version 1; it ends with the test. The test sound, by which a client checks it, is scored 0 and not counted.
 *
 * @param answer to the nth question, from 0 on
 * @param described what it answers on GET; default as verl-omni's own scorers: nothing is there
 */
export async function startAudioScorer(
  answer: (question: SentQuestion, count: number) => ScorerAnswer | Promise<ScorerAnswer>,
  described: Answer = [404, { error: 'Not found.' }],
): Promise<StartedScorer> {
  const asked: SentQuestion[] = [];
  let [open, most] = [0, 0];
  const server: Server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      void (async () => {
        most = Math.max(most, ++open);
        response.on('close', () => open--);
        let said: ScorerAnswer = described;
        if (request.method === 'POST') {
          const question = JSON.parse(Buffer.concat(chunks).toString()) as SentQuestion;
          const isCheck = question.metadata.id === 'check';
          said = isCheck ? [200, { score: 0 }] : await answer(question, asked.push(question) - 1);
        }
        if (said === 'hang') return;
        if (said === 'break') return void request.socket.destroy();
        const [status, body, headers] = said;
        response.writeHead(status, headers).end(typeof body === 'string' ? body : JSON.stringify(body));
      })();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const die = () => {
    server.close();
    server.closeAllConnections();
  };
  onTestFinished(die);
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/score`;
  return {
    address,
    asked,
    die,
    get most() {
      return most;
    },
  };
}
