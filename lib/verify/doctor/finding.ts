/** What `speech-dpo doctor` finds: its JSON, which docs/devices.md describes. */
import { z } from 'zod';

/** One line of the page. */
export const findingSchema = z.strictObject({
  /** What it belongs to. */
  group: z.enum(['needed', 'devices', 'scores', 'tools']),
  /** "cuda", "NISQA", ... */
  name: z.string(),
  /** ok: it works here, which was tried; missing: it is not here, and can be had; broken: it is here, and does not work. */
  state: z.enum(['ok', 'missing', 'broken']),
  /** What was found, or what is missing. */
  found: z.string(),
  /** What it is for; absent where it works. */
  matters: z.string().optional(),
  /** The command that mends it; absent where it works, or no command does. */
  mend: z.string().optional(),
  /** Of a device that computed: how long that took, and how far its numbers are from the CPU's (the CPU's from TensorFlow.js' in JavaScript). */
  selfTest: z
    .strictObject({
      seconds: z.number(),
      /** Relative L2 of the gradients, the worst tensor; null: infinitely far. */
      gradients: z.number().nullable(),
      /** Largest difference of log-probabilities over three DPO steps; null: infinitely far, or, for the CPU, not compared. */
      logps: z.number().nullable(),
      /** Whether the same tokens were sampled; null for the CPU. */
      sameTokens: z.boolean().nullable(),
    })
    .optional(),
});
/** One thing that this machine has, or lacks. */
export type Finding = z.infer<typeof findingSchema>;

/** What `speech-dpo doctor --json` prints. */
export const doctorSchema = z.strictObject({
  /** Of speech-dpo. */
  version: z.string(),
  /** Whether everything works that the embedded model needs: all of the group `needed`, the CPU, and the device that SPEECH_DPO_DEVICE names. */
  ready: z.boolean(),
  findings: z.array(findingSchema),
});
/** All findings, and whether one can begin. */
export type DoctorReport = z.infer<typeof doctorSchema>;

/** Whether a run on the embedded model cannot do without it. */
export const isNeeded = ({ group, name }: Finding): boolean =>
  group === 'needed' || name === 'cpu' || name === 'auto';
