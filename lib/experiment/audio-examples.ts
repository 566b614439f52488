import { join } from 'node:path';
import { z } from 'zod';
import { encodeWav } from '../audio/wav.js';
import { remove, writeFileAtomic } from '../checkpoint/atomic.js';
import { readJsonFile } from '../checkpoint/json-file.js';
import type { Codes } from '../codec/codec.js';
import type { DatasetItem } from '../data/item.js';
import type { Evaluation } from './evaluate.js';
import { locateWav } from './locate-wav.js';
import type { Run } from './run.js';
import { leftAfter } from '../left-after.js';
import { askReward } from '../reward/ask.js';
import { FailedSample } from '../reward/reward.js';
import { rankSamples, STANDINGS } from './ranked-samples.js';
import { ENDING_MS, rewardFailure } from './score.js';
import type { ScoredCompletion } from './scored-completion.js';
import { synthesize } from './synthesize.js';
import { firstAlike, type TrainingPair } from './training-pairs.js';
import { describeIssues } from '../zod-message.js';

/** Where an example comes from: the data set, a preference pair of an iteration, or the policy before and after the run. */
const roles = ['source', 'target', 'chosen', 'rejected', 'original', 'trained'] as const;

const exampleSchema = z.strictObject({
  /** Relative to the output directory. */
  file: z.string(),
  role: z.enum(roles),
  split: z.enum(['train', 'test']),
  /** Index of the prompt within its split. */
  prompt: z.number().int(),
  instruction: z.string(),
  /** Of chosen and rejected examples. */
  iteration: z.number().int().optional(),
  /** Absent where it cannot be scored. */
  reward: z.number().optional(),
  /** Word error rate, where the reward or a guard measured it. */
  wer: z.number().optional(),
  /** Of a policy's sample: its index among the samples of its prompt in that evaluation. */
  sample: z.number().int().min(0).optional(),
  /** Of a policy's sample that was chosen for its reward; absent from the first one of a prompt, which was not. */
  standing: z.enum(STANDINGS).optional(),
  /** The first codebook's row. */
  codes: z.array(z.number().int()).optional(),
});

const indexSchema = z.strictObject({ sampleRateHz: z.number(), examples: z.array(exampleSchema) });

/** One of a run's WAV files: where it comes from, of which prompt, and what reward its sound has. */
export type AudioExample = z.infer<typeof exampleSchema>;
/** audio.json: the run's WAV files and what each one is. */
export type AudioIndex = z.infer<typeof indexSchema>;

const INDEX_FILE = 'audio.json';

/**
 * Reads a run's audio.json.
 *
 * @throws Error naming the file when it is missing or wrong
 */
export async function readAudioIndex(outputDirectory: string): Promise<AudioIndex> {
  const path = join(outputDirectory, INDEX_FILE);
  const result = indexSchema.safeParse(await readJsonFile(path));
  if (!result.success) throw new Error(`${path}: ${describeIssues(result.error)}`);
  return result.data;
}

/**
 * Writes the WAV files of a run's first prompts under audio/, and audio.json anew after each batch of them.
 *
 * @param earlier what a run that goes on has already; a file that is written again keeps its place, except the comparison at the end
 */
export function createAudioExamples(run: Run, earlier?: AudioIndex) {
  const before = earlier?.examples.filter(({ role }) => role !== 'original' && role !== 'trained');
  const examples = new Map(before?.map((example) => [example.file, example]));
  const { audioPrompts } = run.parameters;
  const { outputDirectory } = run.directories;

  async function add(example: AudioExample, samples: Float32Array): Promise<void> {
    run.signal?.throwIfAborted();
    const wav = encodeWav(samples, run.codec.sampleRateHz);
    await writeFileAtomic(join(outputDirectory, example.file), wav);
    // Keys in the schema's order, as those of earlier examples.
    examples.set(example.file, exampleSchema.parse(example));
  }

  async function addWritten(written: Written[]): Promise<void> {
    const speakable = written.filter(({ codes }) => isSpeakable(run, codes));
    const items = speakable.map(({ split, prompt }) => run[split][prompt].item);
    const waveforms = await synthesize(
      run,
      speakable.map(({ codes }, index) => ({ item: items[index], codes })),
    );
    for (const [index, example] of speakable.entries()) {
      await add({ ...example, instruction: items[index].instruction }, waveforms[index]);
    }
    await writeIndex();
  }

  async function writeIndex(): Promise<void> {
    const index: AudioIndex = { sampleRateHz: run.codec.sampleRateHz, examples: [...examples.values()] };
    // Codes in one line. A text holds no line break, so the brackets are those of a list.
    const text = JSON.stringify(index, null, 2).replace(/\[\n[\d,\s]*\]/g, (list) =>
      list.replace(/\s+/g, ''),
    );
    await writeFileAtomic(join(outputDirectory, INDEX_FILE), text + '\n');
  }

  return {
    /** Source and target recordings of both splits, as the codec gives them back. */
    async addPrompts(): Promise<void> {
      for (const split of ['train', 'test'] as const) {
        for (const [prompt, { item }] of run[split].slice(0, audioPrompts).entries()) {
          const recordings: [AudioExample['role'], Codes][] = [
            ['source', item.src_encodec],
            ['target', item.tgt_encodec],
          ];
          for (const [role, codes] of recordings) {
            const file = `audio/${split}_${prompt}_${role}.wav`;
            const samples = await run.codec.decode(codes);
            const reward = await scoreRecording(run, item, codes, samples);
            const { instruction } = item;
            await add({ file, role, split, prompt, instruction, ...reward, codes: codes[0] }, samples);
          }
        }
      }
      await writeIndex();
    },

    /** Chosen and rejected samples of an iteration's first pairs. */
    async addPairs(iteration: number, pairs: readonly TrainingPair[]): Promise<void> {
      await addWritten(samplesOfPairs(run, iteration, pairs));
    },

    /**
     * Samples of the original and of the trained policy: the first one of each test prompt, and the best, the median and the worst one of
     * each prompt of both splits.
     */
    async addComparison(original: Evaluation, trained: Evaluation): Promise<void> {
      const policies: Policies = [
        ['original', original],
        ['trained', trained],
      ];
      // By themselves: what else the partner fills may move the last bit of a sum.
      await addWritten(firstSamples(run, policies));
      await addWritten(rankedSamples(run, policies));
      // Of a run that came to its end before, with fewer iterations: what the last policy writes nothing for has no sound.
      for (const { file } of earlier?.examples ?? [])
        if (!examples.has(file))
          // What lies elsewhere, or is no sound, audio.json does not decide about.
          await locateWav(outputDirectory, file).then(remove, () => undefined);
    },
  };
}

type Written = Omit<AudioExample, 'instruction'> & { codes: number[] };
type Policies = (readonly ['original' | 'trained', Evaluation])[];

/** What the partner is too small for has no sound. */
function isSpeakable({ partner }: Run, codes: readonly number[]): boolean {
  return codes.length <= partner.maxFrames;
}

/** Both samples of the first pair of each of the first prompts. */
function samplesOfPairs(run: Run, iteration: number, pairs: readonly TrainingPair[]): Written[] {
  const alike = firstAlike(run.train);
  const first = run.train.flatMap(({ index: prompt }) => {
    const pair = pairs.find(
      ({ promptIndex }) => promptIndex !== undefined && alike[promptIndex] === alike[prompt],
    );
    return pair ? [{ prompt, row: pair.row }] : [];
  });
  return first.slice(0, run.parameters.audioPrompts).flatMap(({ prompt, row }) =>
    (['chosen', 'rejected'] as const).map((role) => ({
      file: `audio/iter_${iteration}_train_${prompt}_${role}.wav`,
      role,
      split: 'train' as const,
      prompt,
      iteration,
      reward: role === 'chosen' ? row.chosenReward : row.rejectedReward,
      wer: row.details[`${role}_wer`],
      codes: row[role],
    })),
  );
}

/** A sample of each test prompt that is not chosen for its reward: the first that is not empty. */
function firstSamples(run: Run, policies: Policies): Written[] {
  return run.test.slice(0, run.parameters.audioPrompts).flatMap((_, prompt) =>
    policies.flatMap(([role, evaluation]) => {
      const sample = evaluation.test[prompt].findIndex(({ codes }) => codes.length > 0);
      if (sample < 0) return [];
      const file = `audio/test_${prompt}_${role}.wav`;
      return {
        file,
        role,
        split: 'test' as const,
        prompt,
        sample,
        ...toldOf(evaluation.test[prompt][sample]),
      };
    }),
  );
}

/** The best, the median and the worst sample of each prompt of both splits. */
function rankedSamples(run: Run, policies: Policies): Written[] {
  const isHeard = ({ codes }: ScoredCompletion) => codes.length > 0 && isSpeakable(run, codes);
  return (['test', 'train'] as const).flatMap((split) =>
    run[split].slice(0, run.parameters.audioPrompts).flatMap((_, prompt) =>
      policies.flatMap(([role, evaluation]) =>
        rankSamples(evaluation[split][prompt], isHeard).map(({ standing, sample, completion }) => {
          const file = `audio/${split}_${prompt}_${role}_${standing}.wav`;
          return { file, role, split, prompt, sample, standing, ...toldOf(completion) };
        }),
      ),
    ),
  );
}

function toldOf({ codes, reward, figures, details }: ScoredCompletion) {
  return { codes, ...(reward !== null && { reward }), wer: figures.wer ?? details.wer };
}

/** What the run's reward gives a recording of the data set, to compare samples with. */
async function scoreRecording(
  { reward, codec, signal }: Run,
  item: DatasetItem,
  codes: Codes,
  samples: Float32Array,
): Promise<Pick<AudioExample, 'reward' | 'wer'>> {
  const audio = () => Promise.resolve({ samples, sampleRateHz: codec.sampleRateHz });
  const asking = askReward(reward, [{ item, codes: codes[0], audio }], signal);
  const [score] = await (signal ? leftAfter(ENDING_MS, signal, asking) : asking).catch((error: unknown) => {
    signal?.throwIfAborted();
    const failure = rewardFailure(
      `the ${reward.name} reward fails at a recording for "${item.instruction}"`,
      error,
    );
    throw failure instanceof FailedSample ? failure.cause : failure;
  });
  return 'reward' in score && Number.isFinite(score.reward)
    ? { reward: score.reward, wer: score.details?.wer }
    : {};
}
